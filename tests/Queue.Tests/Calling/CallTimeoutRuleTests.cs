using LlmQueue.Catalogue;
using LlmQueue.Worker;
using LlmQueue.Worker.Calling.Guards;

namespace LlmQueue.Tests.Calling;

public sealed class CallTimeoutRuleTests
{
    private static readonly WorkerOptions Options = new();

    [Theory]
    [InlineData(null, true, 10)]  // the first choice, another is left
    [InlineData(null, false, 60)] // the last resort
    [InlineData(3, true, 3)]      // the catalogue's word
    [InlineData(3, false, 60)]
    [InlineData(90, true, 90)]    // a slow local model
    [InlineData(90, false, 90)]
    [InlineData(600, true, 120)]  // beyond twice the longest a call counts as lost
    public void A_first_choice_has_little_time_and_the_last_resort_all_of_it(int? catalogue, bool othersLeft, int seconds)
    {
        var model = new ModelEntry
        {
            Id = ModelId.Parse("groq:a"), Context = 1000, MaxOutput = 100,
            FirstChoiceTimeout = catalogue is { } s ? TimeSpan.FromSeconds(s) : null,
        };

        Assert.Equal(TimeSpan.FromSeconds(seconds), CallTimeoutRule.For(model, othersLeft, Options));
    }

    [Theory]
    [InlineData("a b c", "a", 0, "b c")]
    [InlineData("b c a", "b", 1, "c")]
    [InlineData("c a b", "c", 2, "")]
    [InlineData("a b c", "a", 3, "b c")] // the next round
    [InlineData("a b c", "b", 0, "a c")] // the first had no room
    [InlineData("a", "a", 0, "")]
    [InlineData("", "a", 0, "")]
    public void What_a_round_has_still_to_try_follows_from_the_chain_and_the_faults(
        string chain, string model, int faults, string untried) =>
        Assert.Equal(untried,
            string.Join(' ', CallTimeoutRule.Untried(chain.Split(' ', StringSplitOptions.RemoveEmptyEntries), model, faults)));
}
