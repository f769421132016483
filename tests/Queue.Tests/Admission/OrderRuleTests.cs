using LlmQueue.Catalogue;
using LlmQueue.Limits;
using LlmQueue.Tests.Chaos;
using LlmQueue.Worker.Admission;

namespace LlmQueue.Tests.Admission;

/// <summary>In which order a task's ways are tried: money, the days' quotas, the chain.</summary>
public sealed class OrderRuleTests
{
    private static readonly DateTime Noon = new(2026, 11, 21, 12, 0, 0, DateTimeKind.Utc);

    /// <summary>Used shares of the day: groq:a, groq:b, mistral:c; then the order, and whether it is spoken of.</summary>
    [Theory]
    [InlineData(0.79, 0.10, 0.10, "groq:a groq:b mistral:c", null)]
    [InlineData(0.80, 0.10, 0.10, "groq:b mistral:c groq:a", "from 80 % a model with more left goes first")]
    [InlineData(0.85, 0.85, 0.10, "mistral:c groq:a groq:b", "from 80 %")]
    [InlineData(0.85, 0.92, 0.89, "groq:a mistral:c groq:b", null)]
    [InlineData(0.90, 0.85, 0.85, "groq:b mistral:c groq:a", "from 90 % only tasks of high stakes")]
    [InlineData(0.94, 0.92, 0.93, "groq:a groq:b mistral:c", null)]
    [InlineData(0.95, 0.10, 0.10, "mistral:c groq:b groq:a", "from 95 % the models of another provider go first")]
    [InlineData(0.95, 0.10, 0.92, "mistral:c groq:b groq:a", "from 95 %")]
    [InlineData(0.96, 0.97, 0.98, "mistral:c groq:a groq:b", "from 95 %")]
    [InlineData(1.10, 0.97, 0.10, "mistral:c groq:a groq:b", "from 95 %")]
    [InlineData(0.10, 0.99, 0.99, "groq:a groq:b mistral:c", null)]
    public void A_days_quota_is_spared_before_it_is_gone(double a, double b, double c, string order, string? why)
    {
        Candidate[] ways = [Way("groq:a", a), Way("groq:b", b), Way("mistral:c", c)];

        var ordered = Decide(ways);

        Assert.Equal(order, Ids(ordered));
        Assert.Equal(why is null, ordered.Why is null);
        Assert.Contains(why ?? "", ordered.Why ?? "", StringComparison.Ordinal);
        Assert.Equal("groq:a groq:b mistral:c", Ids(Decide(ways, bound: true)));
    }

    [Fact]
    public void Another_organisation_of_the_same_model_takes_over_without_a_word()
    {
        var ordered = Decide([Way("groq:a", 0.96), Way("groq:b", 0.0), Way("groq:a", 0.2, organisation: "org-2"), Way("mistral:c", 0)]);

        Assert.Equal(("groq:a mistral:c groq:b groq:a", null), (Ids(ordered), ordered.Why));
        Assert.Equal(0.2, ThresholdRule.UsedDayShare(ordered.Candidates[0].Bucket), 3);
    }

    [Fact]
    public void A_pool_takes_the_emptiest_of_those_whose_day_is_not_near_its_end()
    {
        var ordered = Decide([Way("groq:a", 0.97, free: 0.9), Way("groq:b", 0.1, free: 0.3), Way("mistral:c", 0.1, free: 0.6)],
            spread: true);

        Assert.Equal(("mistral:c groq:b groq:a", null, true), (Ids(ordered), ordered.Why, ordered.IsSpread));
    }

    [Fact]
    public void Money_has_the_first_word()
    {
        var ordered = Decide([Way("groq:a", 0.10, price: 3), Way("groq:b", 0.96, price: 1)], usedShare: 0.91);

        Assert.Equal("groq:b groq:a", Ids(ordered));
        Assert.Contains("the budget installation/2026-11-21", ordered.Why, StringComparison.Ordinal);
    }

    private static WaysInOrder Decide(Candidate[] ways, bool spread = false, bool bound = false, double usedShare = 0) =>
        OrderRule.Decide(ways, spread, bound, usedShare, "installation/2026-11-21", Noon);

    private static string Ids(WaysInOrder ordered) => string.Join(' ', ordered.Candidates.Select(c => c.Model.Id));

    private static Candidate Way(string id, double used, double free = 1, decimal price = 1, string organisation = "org-1")
    {
        var bucket = new TokenBucket
        {
            Id = id, Organisation = organisation, AsOf = Noon, RequestsPerDay = 1000, LevelRequestsDay = 1000 * (1 - used),
            TokensPerMinute = 1000, LevelTokensMinute = 1000 * free,
        };
        return new Candidate(id, new ModelEntry { Id = ModelId.Parse(id), Context = 100_000, MaxOutput = 8000 }, bucket,
            new ResourceDemand(1, 10), price);
    }
}
