using LlmQueue.Contracts;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Passes;

namespace LlmQueue.Tests.Passes;

public sealed class ConversationRuleTests
{
    private static readonly LlmMessage[] Own = [new("system", "Be brief."), new("user", "And now?")];

    [Fact]
    public void Up_to_ten_turns_go_as_they_were_between_the_instructions_and_the_question()
    {
        var continued = ConversationRule.Compose(Turns(10), Own, room: 16_000);

        Assert.Equal((10, 0, 22), (continued.Verbatim, continued.Summarised, continued.Messages.Count));
        Assert.Equal(["system", "user", "assistant"], continued.Messages.Take(3).Select(m => m.Role));
        Assert.Equal(("Question 1?", "Answer 1. We will use plan 1. So much for that.", "And now?"),
            (continued.Messages[1].Content, continued.Messages[2].Content, continued.Messages[^1].Content));
    }

    [Fact]
    public void Of_more_than_ten_the_older_ones_go_as_the_decisions_made_in_them()
    {
        var continued = ConversationRule.Compose(Turns(11), Own, room: 16_000);

        Assert.Equal((4, 7), (continued.Verbatim, continued.Summarised));
        Assert.Equal(["system", "system", "user", "assistant"], continued.Messages.Take(4).Select(m => m.Role));
        Assert.Contains("3. Question 3? → We will use plan 3.\n", continued.Messages[1].Content, StringComparison.Ordinal);
        Assert.DoesNotContain("So much for that", continued.Messages[1].Content, StringComparison.Ordinal);
        Assert.Equal("Question 8?", continued.Messages[2].Content);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(50)]
    [InlineData(200)]
    [InlineData(1000)]
    [InlineData(16_000)]
    public void Earlier_turns_never_take_more_room_than_there_is(int room)
    {
        foreach (var count in new[] { 1, 5, 10, 11, 60 })
        {
            var earlier = ConversationRule.Compose(Turns(count, length: 700), Own, room).Messages.Where(m => !Own.Contains(m)).ToList();
            var frame = 40; // The summary's own heading.
            Assert.InRange(TokenEstimateRule.UnitsWithFrame(earlier) * 1.15, 0, room + frame);
        }
    }

    [Fact]
    public void A_turn_too_long_to_go_along_leaves_its_decision_behind()
    {
        var continued = ConversationRule.Compose(
            [new Turn("Which database?", "We will use PostgreSQL. " + new string('x', 50_000)), new Turn("Why?", "Because.")], Own,
            room: 2000);

        Assert.Equal((1, 1), (continued.Verbatim, continued.Summarised));
        Assert.Contains("1. Which database? → We will use PostgreSQL.", continued.Messages[1].Content, StringComparison.Ordinal);
    }

    private static List<Turn> Turns(int count, int length = 0) =>
        [.. Enumerable.Range(1, count).Select(i => new Turn($"Question {i}?",
            $"Answer {i}. We will use plan {i}. So much for that.{(length > 0 ? " " + new string('y', length) : "")}"))];
}
