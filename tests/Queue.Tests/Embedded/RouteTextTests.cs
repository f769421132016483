using LlmQueue.Catalogue;
using LlmQueue.Embedded.Routing;
using LlmQueue.Tests.Batches;
using LlmQueue.Tests.Catalogue;

namespace LlmQueue.Tests.Embedded;

public sealed class RouteTextTests
{
    private static readonly ModelCatalogue Real = ModelCatalogue.Load(Path.Combine(CatalogueTests.Root, "catalogue.json"));

    [Fact]
    public void Says_what_it_is_which_row_fits_who_is_asked_and_who_was_left_out()
    {
        var text = Of(new RouteQuestion("Refactor this class so that it no longer depends on HttpContext.")
        {
            Kind = "code", Complexity = "high", MaxOutputTokens = 500,
        }, "groq", "anthropic");

        Assert.True(text.HasChain);
        Assert.Contains("what it is       code, high: its producer says so", text.Lines);
        Assert.Contains("  row analysis             does not fit: 'task' is analysis, the task's is code", text.Lines);
        Assert.Contains("  row code                 fits", text.Lines);
        Assert.Contains(
            "  1. groq:openai/gpt-oss-120b, for groq:llama-3.3-70b-versatile, which has retired ($0.15 in, $0.60 out a million tokens)",
            text.Lines);
        Assert.Contains("  2. anthropic:claude-sonnet-5 ($2.00 in, $10.00 out a million tokens)", text.Lines);
        Assert.Contains("  left out: openrouter:openai/gpt-oss-120b no key of openrouter is set (OPENROUTER_API_KEY)", text.Lines);
    }

    [Fact]
    public void Says_how_sure_the_rules_are_and_what_else_it_may_be()
    {
        var text = Of(new RouteQuestion("Compare the two poems and analyse their imagery in detail.") { MaxOutputTokens = 500 }, "groq");

        Assert.Matches(@"^what it is       analysis, \w+: the rules say so, 0\.\d\d sure", text.Lines[0]);
        Assert.Contains(text.Lines,
            line => line.StartsWith("unclassified     it would go to groq:openai/gpt-oss-120b first (default", StringComparison.Ordinal));
    }

    [Fact]
    public void Says_whom_a_running_queue_would_ask_when_the_rules_are_not_sure()
    {
        var text = Of(new RouteQuestion("Hm, and then?") { MaxOutputTokens = 500 }, "groq");

        Assert.StartsWith("what it is       the rules are not sure", text.Lines[0], StringComparison.Ordinal);
        Assert.Contains("asks the small model, groq:openai/gpt-oss-20b; here nobody is called", text.Lines[1], StringComparison.Ordinal);
        Assert.True(text.HasChain);
    }

    [Fact]
    public void Says_that_nobody_can_take_it_and_what_to_do()
    {
        var text = Of(new RouteQuestion("Why?") { Kind = "question", MaxOutputTokens = 900_000 }, "groq");

        Assert.False(text.HasChain);
        Assert.StartsWith("nobody           'maxOutputTokens' is 900000; the longest answer that can be had here is 65536 tokens",
            text.Lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Circumstances_are_taken_into_account()
    {
        var calm = new RouteQuestion("Analyse the offers.") { Kind = "analysis", Complexity = "medium", MaxOutputTokens = 500 };

        Assert.Contains("  row busy                 fits", Of(calm with { Load = 0.9 }, "groq").Lines);
        Assert.Contains("  row analysis             fits", Of(calm with { Load = 0.9, HighStakes = true }, "groq").Lines);
        Assert.Contains("  row long-conversation    fits", Of(calm with { Turns = 7 }, "groq").Lines);
    }

    private static RouteText Of(RouteQuestion question, params string[] keys) =>
        RouteText.Of(question, Real, keys.Contains, new DateOnly(2026, 11, 21));
}
