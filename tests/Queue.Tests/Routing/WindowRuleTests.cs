using LlmQueue.Catalogue;
using LlmQueue.Worker.Routing;

namespace LlmQueue.Tests.Routing;

public sealed class WindowRuleTests
{
    private static readonly ModelCatalogue Table = ModelCatalogue.Parse("""
        { "models": [
            { "id": "groq:short", "context": 1000, "maxOutput": 500 },
            { "id": "groq:middle", "context": 2000, "maxOutput": 500 },
            { "id": "groq:longest", "context": 8000, "maxOutput": 500 },
            { "id": "groq:long", "context": 4000, "maxOutput": 500 },
            { "id": "gemini:endless", "context": 900000, "maxOutput": 500 } ],
          "routes": [ { "task": "any", "complexity": "any", "models": ["groq:short", "groq:middle"] } ] }
        """, "test.json");

    /// <summary>Nine tenths of the window, prompt and longest answer together; the switch is said in the route.</summary>
    [Theory]
    [InlineData(800, 100, "any/any", "groq:short groq:middle")]
    [InlineData(801, 100, "any/any (too long for groq:short)", "groq:middle")]
    [InlineData(1700, 100, "any/any (too long for groq:short)", "groq:middle")]
    [InlineData(1701, 100, "window (nobody of the routes holds 1801 tokens)", "groq:long groq:longest")]
    [InlineData(3501, 100, "window (nobody of the routes holds 3601 tokens)", "groq:longest")]
    public void A_prompt_goes_to_a_window_that_holds_it(int prompt, int output, string rule, string models)
    {
        var routed = Assert.IsType<Routed>(Decide(prompt, output));

        Assert.Equal((rule, models), (routed.Rule, string.Join(' ', routed.Models)));
    }

    [Fact]
    public void A_prompt_that_nobody_holds_is_told_what_to_do()
    {
        var refused = Assert.IsType<NoModel>(Decide(7200, 100));

        Assert.Contains("nine tenths of it used", refused.Reason, StringComparison.Ordinal);
        Assert.Contains("shorten or split the prompt", refused.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_longer_window_does_not_help_who_asks_for_a_longer_answer() =>
        Assert.Contains("'maxOutputTokens' is 501", Assert.IsType<NoModel>(Decide(10, 501)).Reason, StringComparison.Ordinal);

    private static RouteChoice Decide(int prompt, int output) =>
        RoutingRule.Decide(new RouteRequest { Kind = "analysis", Complexity = "high", PromptTokens = prompt, MaxOutputTokens = output },
            Table, new RouteConditions(provider => provider == "groq", new DateOnly(2026, 11, 21)));
}
