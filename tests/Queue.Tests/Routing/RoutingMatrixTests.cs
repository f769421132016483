using System.Text;
using LlmQueue.Catalogue;
using LlmQueue.Tests.Catalogue;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Routing;

namespace LlmQueue.Tests.Routing;

/// <summary>
/// The whole table as it works: every kind and complexity under every circumstance it looks at, approved as a text that anyone can read.
/// </summary>
public sealed class RoutingMatrixTests
{
    // Before any of the matrix's models had retired: the table as its author wrote it.
    private static readonly DateOnly Before = new(2025, 3, 1);
    private static readonly ModelCatalogue Real = ModelCatalogue.Load(Path.Combine(CatalogueTests.Root, "catalogue.json"));

    private static readonly (string Name, Func<RouteRequest, RouteRequest> Is, double Load)[] Circumstances =
    [
        ("plain", r => r, 0),
        ("less sure (0.8)", r => r with { Confidence = 0.8 }, 0),
        ("unsure (0.65, or code)", r => r with { Confidence = 0.65, AlsoLikely = ["code"] }, 0),
        ("interactive", r => r with { Priority = "interactive" }, 0),
        ("busy (0.81)", r => r, 0.81),
        ("high stakes, interactive, busy", r => r with { HighStakes = true, Priority = "interactive" }, 0.81),
        ("6 turns, context", r => r with { ConversationTurns = 6, NeedsContext = true }, 0),
        ("6 turns, none needed", r => r with { ConversationTurns = 6 }, 0),
        ("5 turns, context", r => r with { ConversationTurns = 5, NeedsContext = true }, 0),
        ("33,000 tokens", r => r with { PromptTokens = 33_000 }, 0),
    ];

    [Fact]
    public void Every_kind_and_complexity_under_every_circumstance_is_approved()
    {
        var text = new StringBuilder();
        foreach (var (name, circumstance, load) in Circumstances)
        {
            text.Append(name).Append('\n');
            foreach (var kind in ClassifierPrompt.Kinds.Append("gardening"))
                foreach (var complexity in (string[])["low", "medium", "high"])
                {
                    var request = circumstance(
                        new RouteRequest { Kind = kind, Complexity = complexity, PromptTokens = 500, MaxOutputTokens = 500 });
                    var routed = Assert.IsType<Routed>(
                        RoutingRule.Decide(request, Real, new RouteConditions(_ => true, Before) { Load = load }));
                    text.Append($"  {kind,-15}{complexity,-8}{routed.Rule,-50} {string.Join(" ", routed.Models.Take(4))}\n");
                }
        }

        Approval.Verify("routing-matrix.txt", text.ToString());
    }

    [Fact]
    public void Every_chain_of_the_table_leads_over_at_least_three_models_of_at_least_two_providers() =>
        Assert.All(Real.Routes, row => Assert.True(row.Models.Count >= 3 && row.Models.Select(m => m.Provider).Distinct().Count() >= 2,
            $"{row.Name}: {string.Join(", ", row.Models)}"));
}
