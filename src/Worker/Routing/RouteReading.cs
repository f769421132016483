using LlmQueue.Catalogue;

namespace LlmQueue.Worker.Routing;

/// <summary>A trace of how the routing table was read for one task, for people; <see cref="RoutingRule"/> decides without one.</summary>
/// <param name="Choice">The decision.</param>
/// <param name="Rows">The rows down to the last one that had to be looked at.</param>
/// <param name="Taken">The row that gave the chain; null when none did, or a model was asked for by name.</param>
public sealed record RouteReading(RouteChoice Choice, IReadOnlyList<RowReading> Rows, Route? Taken)
{
    public static RouteReading Of(RouteRequest request, ModelCatalogue catalogue, RouteConditions conditions)
    {
        var choice = RoutingRule.Decide(request, catalogue, conditions);
        if (!string.IsNullOrWhiteSpace(request.Model))
            return new RouteReading(choice, [], null);
        var facts = RoutingRule.FactsOf(request, catalogue, conditions);
        var rows = new List<RowReading>();
        foreach (var row in catalogue.Routes)
        {
            var misfit = row.Misfit(facts) is { } column
                ? $"'{column}' is {Wanted(row, column)}, the task's is {Found(facts, column)}"
                : null;
            IReadOnlyList<LinkReading> links = misfit is null
                ? [.. row.Models.Select(id => new LinkReading(id, catalogue.InService(id, conditions.Today)?.Id,
                    RoutingRule.WhyLeftOut(id, request, catalogue, conditions)))]
                : [];
            rows.Add(new RowReading(row, misfit, links));
            if (links.Any(link => link.WhyLeftOut is null))
                return new RouteReading(choice, rows, row);
        }

        return new RouteReading(choice, rows, null);
    }

    private static string Wanted(Route row, string column) => column switch
    {
        "task" => row.Task, "complexity" => row.Complexity, "priority" => row.Priority, "agent" => row.Agent, "tier" => row.Tier,
        "stakes" => row.Stakes,
        "minContext" => $"{row.MinContext}", "minTurns" => $"{row.MinTurns}", "needsContext" => $"{row.NeedsContext}".ToLowerInvariant(),
        "minConfidence" => $"{row.MinConfidence}", _ => $"{row.MinLoad}",
    };

    private static string Found(RouteFacts facts, string column) => column switch
    {
        "task" => facts.Task, "complexity" => facts.Complexity, "priority" => facts.Priority,
        "agent" => facts.Agent.Length == 0 ? "none" : facts.Agent, "tier" => facts.Tier, "stakes" => facts.HighStakes ? "high" : "normal",
        "minContext" => $"{facts.PromptTokens}", "minTurns" => $"{facts.Turns}",
        "needsContext" => $"{facts.NeedsContext}".ToLowerInvariant(), "minConfidence" => $"{facts.Confidence:0.00}",
        _ => $"{facts.Load:0.00}",
    };
}

/// <summary>A row of the table and why it fits or does not.</summary>
/// <param name="Row">The row.</param>
/// <param name="Misfit">Why it does not fit; null when it does.</param>
/// <param name="Links">Its models, when it fits.</param>
public sealed record RowReading(Route Row, string? Misfit, IReadOnlyList<LinkReading> Links);

/// <summary>A model of a row that fits.</summary>
/// <param name="Named">As the row names it.</param>
/// <param name="Serving">Who serves in its place today, usually itself; null when nobody does.</param>
/// <param name="WhyLeftOut">Why it cannot take the task; null when it can.</param>
public sealed record LinkReading(ModelId Named, ModelId? Serving, string? WhyLeftOut);
