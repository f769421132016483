using LlmQueue.Limits;

namespace LlmQueue.Tests.Limits;

public sealed class MoneyRuleTests
{
    [Fact]
    public void One_that_needs_more_than_is_left_holds_up_nobody_behind_it() =>
        Assert.Equal([1, 3, 5], Paid(1.00m, 0.40m, 5m, 0.30m, 0.50m, 0.30m));

    [Fact]
    public void An_unknown_price_is_released_and_takes_nothing_from_the_others() => Assert.Equal([1, 2, 3], Paid(1m, null, 0.5m, 0.5m, 0.5m));

    [Fact]
    public void Nobody_is_released_beyond_the_money() => Assert.Equal([1, 2], Paid(0.2m, 0.1m, 0.1m, 0.1m));

    /// <summary>The places of those that are paid, from 1.</summary>
    private static IEnumerable<int> Paid(decimal left, params decimal?[] needs)
    {
        var waiting = needs.Select(usd => (Id: Guid.NewGuid(), usd)).ToList();
        return MoneyRule.WhoCanBePaid(waiting, left).Select(id => waiting.FindIndex(w => w.Id == id) + 1);
    }
}
