using LlmQueue.Catalogue;
using LlmQueue.Limits;
using LlmQueue.Worker.Calling.Providers;
using LlmQueue.Worker.Routing;

namespace LlmQueue.Tests.Routing;

/// <summary>Each column of the routing table, on a table of the test's own.</summary>
public sealed class RouteColumnTests
{
    private static readonly DateOnly Today = new(2026, 11, 21);

    private static readonly RouteRequest Plain = new()
    {
        Kind = "code", Complexity = "medium", Tenant = "somebody", PromptTokens = 100, MaxOutputTokens = 100,
    };

    public static TheoryData<string, RouteRequest, RouteRequest> Columns => new()
    {
        { "\"agent\": \"Triage\"", Plain with { Agent = "triage" }, Plain with { Agent = "other" } },
        { "\"tier\": \"premium\"", Plain with { Tenant = "acme" }, Plain },
        { "\"tier\": \"standard\"", Plain, Plain with { Tenant = "acme" } },
        { "\"stakes\": \"high\"", Plain with { HighStakes = true }, Plain },
        { "\"stakes\": \"normal\"", Plain, Plain with { HighStakes = true } },
        { "\"priority\": \"batch\"", Plain with { Priority = "batch" }, Plain },
        { "\"minContext\": 100", Plain with { PromptTokens = 101 }, Plain },
        { "\"minTurns\": 5", Plain with { ConversationTurns = 6 }, Plain with { ConversationTurns = 5 } },
        { "\"needsContext\": true", Plain with { NeedsContext = true }, Plain },
        { "\"needsContext\": false", Plain, Plain with { NeedsContext = true } },
        { "\"minConfidence\": 0.9", Plain with { Confidence = 0.91 }, Plain with { Confidence = 0.9 } },
    };

    [Theory]
    [MemberData(nameof(Columns))]
    public void A_column_lets_in_what_it_names_and_nothing_else(string column, RouteRequest fits, RouteRequest doesNot)
    {
        Assert.Equal("special", Rule(column, fits));
        Assert.Equal("rest", Rule(column, doesNot));
    }

    [Theory]
    [InlineData(0.8, false, "rest")]
    [InlineData(0.81, false, "special")]
    [InlineData(0.81, true, "rest")]
    public void Load_above_the_column_takes_the_row_and_never_what_has_much_at_stake(double load, bool highStakes, string rule) =>
        Assert.Equal(rule, Rule("\"minLoad\": 0.8", Plain with { HighStakes = highStakes }, load));

    [Fact]
    public void Who_is_unsure_keeps_the_likeliest_first_and_adds_the_others_choices()
    {
        var table = Parse("""
            { "name": "code", "task": "code", "complexity": "any", "models": ["groq:a", "groq:b"] },
            { "name": "analysis", "task": "analysis", "complexity": "any", "models": ["groq:c", "groq:a"] },
            { "name": "rest", "task": "any", "complexity": "any", "models": ["groq:d"] }
            """);

        var wide = Assert.IsType<Routed>(Decide(table, Plain with { Confidence = 0.69, AlsoLikely = ["analysis"] }));
        var sure = Assert.IsType<Routed>(Decide(table, Plain with { Confidence = 0.7, AlsoLikely = ["analysis"] }));

        Assert.Equal("code, widened by analysis and rest", wide.Rule);
        Assert.Equal("a c d b", string.Join(' ', wide.Models.Select(m => m.Name)));
        Assert.Equal(("code", "a b"), (sure.Rule, string.Join(' ', sure.Models.Select(m => m.Name))));
    }

    [Fact]
    public void How_a_table_was_read_is_told_down_to_who_was_left_out()
    {
        var table = Parse("""
            { "name": "analysis", "task": "analysis", "complexity": "any", "models": ["groq:a"] },
            { "name": "far", "task": "code", "complexity": "any", "models": ["mistral:e"] },
            { "name": "code", "task": "code", "complexity": "any", "models": ["groq:small", "groq:b"] },
            { "name": "rest", "task": "any", "complexity": "any", "models": ["groq:d"] }
            """);

        var reading = RouteReading.Of(Plain, table, new RouteConditions(p => p == "groq", Today));

        Assert.Equal(["'task' is analysis, the task's is code", null, null], reading.Rows.Select(r => r.Misfit));
        Assert.Equal("code", reading.Taken?.Name);
        Assert.Equal("no key of mistral is set (MISTRAL_API_KEY)", reading.Rows[1].Links.Single().WhyLeftOut);
        Assert.Equal("answers have at most 50 tokens there, asked for 100", reading.Rows[2].Links[0].WhyLeftOut);
        Assert.Null(reading.Rows[2].Links[1].WhyLeftOut);
        Assert.Equal("groq:b", Assert.IsType<Routed>(reading.Choice).Models.Single().ToString());
    }

    [Fact]
    public void Load_is_how_full_the_minutes_are_and_a_line_or_a_closing_counts_as_full()
    {
        var now = new DateTime(2026, 11, 21, 12, 0, 0, DateTimeKind.Utc);
        TokenBucket Bucket(double level) => new() { RequestsPerMinute = 10, LevelRequestsMinute = level };

        Assert.Equal(0, LoadRule.Of([], now));
        Assert.Equal(0, LoadRule.Of([Bucket(10), new TokenBucket()], now));
        Assert.Equal(0.5, LoadRule.Of([Bucket(10), Bucket(0)], now), 6);
        Assert.Equal(
            0.75, LoadRule.Of([Bucket(5), new TokenBucket { TokensPerMinute = 1000, LevelTokensMinute = 1000, Waiting = 1 }], now), 6);
        var (closed, disabled) = (Bucket(10), Bucket(0));
        (closed.ClosedUntil, disabled.DisabledReason) = (now.AddSeconds(1), DisabledReason.Read("gone"));
        Assert.Equal(1, LoadRule.Of([closed, disabled], now), 6);
    }

    private static string Rule(string column, RouteRequest request, double load = 0) => Assert.IsType<Routed>(Decide(Parse(
        $$"""
        { "name": "special", "task": "any", "complexity": "any", {{column}}, "models": ["groq:a"] },
        { "name": "rest", "task": "any", "complexity": "any", "models": ["groq:b"] }
        """), request, load)).Rule;

    private static RouteChoice Decide(ModelCatalogue table, RouteRequest request, double load = 0) =>
        RoutingRule.Decide(request, table, new RouteConditions(_ => true, Today) { Load = load });

    private static ModelCatalogue Parse(string routes) => ModelCatalogue.Parse($$"""
        { "models": [ {{string.Join(", ", "abcd".Select(name => $$"""{ "id": "groq:{{name}}", "context": 100000, "maxOutput": 1000 }"""))}},
            { "id": "groq:small", "context": 1000, "maxOutput": 50 }, { "id": "mistral:e", "context": 100000, "maxOutput": 1000 } ],
          "tiers": { "premium": ["acme"] },
          "routes": [ {{routes}} ] }
        """, "test.json");
}
