using FsCheck;
using FsCheck.Fluent;
using LlmQueue.Contracts;
using LlmQueue.Worker.Classification;
using Xunit;

namespace LlmQueue.Tests.Classification;

public sealed class ClassificationRuleTests
{
    [Fact]
    public void What_the_producer_said_wins() =>
        Assert.Equal(
            new Worker.Classification.Classification("code", "high", 1, "producer"),
            ClassificationRule.Decide(" Code ", "HIGH", [new LlmMessage("user", "Summarize this page.")]));

    [Fact]
    public void A_kind_without_a_complexity_gets_the_one_the_rules_see()
    {
        Assert.Equal(("code", "low", "producer"), Parts(Decide("add a comma", kind: "code")));
        Assert.Equal(("code", "high", "producer"),
            Parts(Decide("Write a detailed, production-ready rate limiter with all edge cases.", kind: "code")));
    }

    [Fact]
    public void A_complexity_without_a_kind_is_kept() =>
        Assert.Equal(("summarization", "high", "rules"), Parts(Decide("Summarize this page.", complexity: "high")));

    [Theory]
    [InlineData("Hmm, and then?")]
    [InlineData("")]
    [InlineData("The weather was fine and the boats were out on the lake, as they had been every summer since the war, "
        + "and nobody thought that it would be the last time they saw it so.")]
    [InlineData("Compare the two poems and translate them.")]
    public void Unsure_rules_leave_it_to_the_model(string prompt) => Assert.Null(Decide(prompt));

    [Fact]
    public void The_last_turn_counts_and_not_what_was_asked_before()
    {
        var found = ClassificationRule.Decide(null, null,
            [new("user", "Translate this into German."), new("assistant", "Ja."), new("user", "Now write a poem about it.")]);

        Assert.Equal("creative", found?.Kind);
    }

    [Fact]
    public void Words_in_the_middle_of_the_material_are_not_what_is_asked_for()
    {
        var material = string.Concat(
            Enumerable.Repeat("The function was refactored, the unit tests were translated and a poem was written. ", 100));

        Assert.Equal("summarization",
            Decide("Summarize the following report in five bullet points, for readers who have little time and who were not in the meeting "
                + "where it was presented to the board of the company last week, and who have to decide tomorrow whether they go on with "
                + "the project or not, given the money that is left in the budget of this year. "
                + $"{new string('.', 400)} {material} {new string('.', 400)}")?.Kind);
    }

    [Fact]
    public void Nobody_knowing_is_the_default_with_what_was_said()
    {
        Assert.Equal(new Worker.Classification.Classification("general", "medium", 0, "default"), ClassificationRule.Default(null, " "));
        Assert.Equal(("code", "medium", "default"), Parts(ClassificationRule.Default("code", null)));
    }

    [Fact]
    public void The_producer_stands_over_the_model() =>
        Assert.Equal(("code", "low", "model"),
            Parts(ClassificationRule.Under("code", null, new Worker.Classification.Classification("analysis", "low", 0.7, "model"))));

    [Fact]
    public void Labelled_prompts_in_four_languages_are_mostly_decided_and_almost_always_rightly()
    {
        var judged = LabelledPrompts.All.Select(labelled => (labelled, found: Decide(labelled.Prompt))).ToList();
        var wrong = judged.Where(pair => pair.found is not null && pair.found.Kind != pair.labelled.Kind)
            .Select(pair => $"{pair.labelled.Kind} taken for {pair.found!.Kind}: {pair.labelled.Prompt}").ToList();
        var open = judged.Count(pair => pair.found is null);

        TestContext.Current.TestOutputHelper?.WriteLine($"{judged.Count} prompts: {open} left to the model, {wrong.Count} wrong. "
            + $"{string.Join("; ", wrong)} Open: "
            + $"{string.Join("; ", judged.Where(pair => pair.found is null).Select(pair => pair.labelled.Prompt))}");
        Assert.True(wrong.Count <= judged.Count / 20, string.Join('\n', wrong));
        Assert.True(open <= judged.Count / 4, $"{open} of {judged.Count} left to the model.");
    }

    [Fact]
    public void Any_text_is_classified_or_left_to_the_model_and_never_throws() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(2000),
            Prop.ForAll(ArbMap.Default.ArbFor<string>(), ArbMap.Default.ArbFor<string>(), (text, kind) =>
            ClassificationRule.Decide(kind, null, [new LlmMessage("user", text ?? "")]) is null
                or { Complexity: "low" or "medium" or "high", Confidence: >= ClassificationRule.Sure and <= 1, Kind.Length: > 0 }));

    private static Worker.Classification.Classification? Decide(string prompt, string? kind = null, string? complexity = null) =>
        ClassificationRule.Decide(kind, complexity, [new LlmMessage("user", prompt)]);

    private static (string?, string?, string?) Parts(Worker.Classification.Classification? found) =>
        (found?.Kind, found?.Complexity, found?.By);
}
