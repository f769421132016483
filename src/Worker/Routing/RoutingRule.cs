using LlmQueue.Catalogue;

namespace LlmQueue.Worker.Routing;

/// <summary>The routing table, read for one task: the first row that fits and has somebody left who can take it.</summary>
public static class RoutingRule
{
    public static RouteChoice Decide(RouteRequest request, ModelCatalogue catalogue, RouteConditions conditions)
    {
        if (!string.IsNullOrWhiteSpace(request.Model))
            return Requested(request, catalogue, conditions);

        var facts = FactsOf(request, catalogue, conditions);
        Route? first = null;
        foreach (var row in catalogue.Routes)
        {
            if (!row.Fits(facts))
                continue;
            first ??= row;
            var chain = ChainOf(row, request, catalogue, conditions);
            if (chain.Count > 0)
            {
                var over = WindowRule.PassedOver(row, chain[0].Named, request, catalogue, conditions);
                var rule = Rule(row, first, chain) + over;
                var routed = request.Confidence < (double)catalogue.WidenBelow
                    ? Widened(rule, row, chain, facts, request, catalogue, conditions)
                    : new Routed(rule, Ids(chain));
                return over.Length == 0 ? routed : routed with { Switched = $"{over.Trim(' ', '(', ')')}; {routed.Models[0]} holds it" };
            }
        }

        var named = catalogue.Routes.Where(row => row.Fits(facts)).SelectMany(row => row.Models)
            .Select(id => catalogue.InService(id, conditions.Today)).OfType<ModelEntry>().Distinct().ToList();
        if (WindowRule.Longer(named, request, catalogue, conditions) is { } longer)
            return longer;
        return first is null
            ? new NoModel($"No route of the catalogue fits a task of kind '{request.Kind}' and complexity '{request.Complexity}'; "
                + "add one with task 'any' and complexity 'any' at the end of its routes.")
            : RouteRefusals.WhyNobody(named, request, conditions);
    }

    /// <summary>
    /// The models of a chain that can take the task today, in order: the retired are replaced, and models without a key or too small are
    /// left out.
    /// </summary>
    public static IReadOnlyList<ModelId> Able(
        IEnumerable<ModelId> chain, RouteRequest request, ModelCatalogue catalogue, RouteConditions conditions) =>
        [.. catalogue.InService(chain, conditions.Today)
            .Where(id => conditions.HasKey(id.Provider) && Takes(catalogue.Find(id)!, request, conditions))];

    /// <summary>
    /// What the table is asked about the task. One with much at stake is as hard as it is: what reads as easy, hurried or untimely about it
    /// must not cost it the better model.
    /// </summary>
    public static RouteFacts FactsOf(RouteRequest request, ModelCatalogue catalogue, RouteConditions conditions) => new()
    {
        Task = request.Kind ?? "",
        Complexity = request is { HighStakes: true, Complexity: "low" } ? "medium" : request.Complexity ?? "",
        Priority = request is { HighStakes: true, Priority: "interactive" } ? "normal" : request.Priority ?? "normal",
        Agent = request.Agent ?? "", Tier = catalogue.Tiers.Of(request.Tenant), HighStakes = request.HighStakes,
        PromptTokens = request.PromptTokens, Turns = request.ConversationTurns, NeedsContext = request.NeedsContext,
        Confidence = request.Confidence, Load = request.HighStakes ? 0 : conditions.Load,
    };

    /// <summary>The models of the row that can take the task, each with the name in the row.</summary>
    private static List<Link> ChainOf(Route row, RouteRequest request, ModelCatalogue catalogue, RouteConditions conditions)
    {
        var chain = new List<Link>(row.Models.Count);
        foreach (var named in row.Models)
            if (catalogue.InService(named, conditions.Today) is { } entry
                && conditions.HasKey(entry.Id.Provider)
                && Takes(entry, request, conditions))
                chain.Add(new Link(named, entry));
        return chain;
    }

    /// <summary>
    /// Unsure what it is, the queue does not guess: after the likeliest kind's first choice come those of the other likely kinds and of the
    /// table's last row, then everybody else of them.
    /// </summary>
    private static Routed Widened(
        string rule, Route row, List<Link> chain, RouteFacts facts, RouteRequest request, ModelCatalogue catalogue,
        RouteConditions conditions)
    {
        var others = request.AlsoLikely.Select(kind => facts with { Task = kind })
            .Select(as_ => catalogue.Routes.FirstOrDefault(r => r.Fits(as_)))
            .Append(catalogue.Routes.LastOrDefault(r => r.Fits(facts))).OfType<Route>().Distinct().Where(r => r != row).ToList();
        var chains = others.Select(r => ChainOf(r, request, catalogue, conditions)).Prepend(chain).ToList();
        var wide = Enumerable.Range(0, chains.Max(c => c.Count))
            .SelectMany(place => chains.Where(c => place < c.Count).Select(c => c[place].Entry.Id)).Distinct().ToList();
        return new Routed(others.Count == 0 ? rule : $"{rule}, widened by {string.Join(" and ", others.Select(r => r.Name))}", wide);
    }

    private static List<ModelId> Ids(List<Link> chain) => [.. chain.Select(link => link.Entry.Id).Distinct()];

    private readonly record struct Link(ModelId Named, ModelEntry Entry);

    private static RouteChoice Requested(RouteRequest request, ModelCatalogue catalogue, RouteConditions conditions)
    {
        var text = request.Model!.Trim();
        if (!ModelId.TryParse(text, out var id) || catalogue.Find(id) is not { } named)
            return new NoModel(RouteRefusals.Unknown(text, catalogue, conditions.Today));
        if (catalogue.InService(id, conditions.Today) is not { } entry)
            return new NoModel($"'{id}' has retired on {named.Retires:yyyy-MM-dd} and the catalogue names no successor; "
                + $"{RouteRefusals.KnownOf(id.Provider, catalogue, conditions.Today)}.");
        if (!conditions.HasKey(entry.Id.Provider))
            return new NoModel($"'{entry.Id}' cannot be called: no key of {entry.Id.Provider} is set; "
                + $"set {RouteRefusals.KeyName(entry.Id.Provider)}, or leave 'model' out to let the queue choose.");
        if (!Takes(entry, request, conditions))
            return RouteRefusals.TooLarge([entry], request, conditions);
        return new Routed(entry.Id == id ? "requested" : $"requested (retired: {id} → {entry.Id})", [entry.Id]);
    }

    /// <summary>Why a model of a row cannot take the task, as a sentence; null when it can.</summary>
    public static string? WhyLeftOut(ModelId named, RouteRequest request, ModelCatalogue catalogue, RouteConditions conditions) =>
        catalogue.InService(named, conditions.Today) is not { } entry
            ? $"has retired on {catalogue.Find(named)?.Retires:yyyy-MM-dd} without a successor"
        : !conditions.HasKey(entry.Id.Provider) ? $"no key of {entry.Id.Provider} is set ({RouteRefusals.KeyName(entry.Id.Provider)})"
        : request.MaxOutputTokens > entry.MaxOutput
            ? $"answers have at most {entry.MaxOutput} tokens there, asked for {request.MaxOutputTokens}"
        : !entry.Takes(request.PromptTokens, request.MaxOutputTokens)
            ? $"its context is {entry.Context} tokens; prompt and answer may take {(long)request.PromptTokens + request.MaxOutputTokens}"
        : !FitsMinute(entry, request, conditions)
            ? $"its minute has at most {conditions.TokensPerMinute!(entry)} tokens; "
                + $"prompt and answer may take {(long)request.PromptTokens + request.MaxOutputTokens}"
        : null;

    internal static bool Takes(ModelEntry entry, RouteRequest request, RouteConditions conditions) =>
        entry.Takes(request.PromptTokens, request.MaxOutputTokens) && FitsMinute(entry, request, conditions);

    private static bool FitsMinute(ModelEntry entry, RouteRequest request, RouteConditions conditions) =>
        conditions.TokensPerMinute?.Invoke(entry) is not { } limit || (long)request.PromptTokens + request.MaxOutputTokens <= limit;

    private static string Rule(Route row, Route first, List<Link> chain)
    {
        var replaced = chain.Where(link => link.Entry.Id != link.Named).Select(link => $"{link.Named} → {link.Entry.Id}").ToList();
        return row.Name
            + (row == first ? "" : $" (nobody of {first.Name} can take it)")
            + (replaced.Count == 0 ? "" : $" (retired: {string.Join(", ", replaced)})");
    }
}
