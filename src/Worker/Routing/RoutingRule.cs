using LlmQueue.Catalogue;
using LlmQueue.Hosting.Settings;

namespace LlmQueue.Worker.Routing;

/// <summary>The request to the routing table.</summary>
public sealed record RouteRequest
{
    public string? Kind { get; init; }
    public string? Complexity { get; init; }
    public string? Priority { get; init; }

    /// <summary>Never sent down a row that is there for speed or for a busy hour.</summary>
    public bool HighStakes { get; init; }

    /// <summary>The caller's class of work.</summary>
    public string? Agent { get; init; }

    /// <summary>Whose task it is; the catalogue knows its tier.</summary>
    public string? Tenant { get; init; }

    /// <summary>Messages of the conversation, instructions to the model not counted.</summary>
    public int ConversationTurns { get; init; }

    /// <summary>It cannot be done without what was said before.</summary>
    public bool NeedsContext { get; init; }

    /// <summary>How sure it is what the task is: 1 where its producer said so, 0 where nobody knows.</summary>
    public double Confidence { get; init; } = 1;

    /// <summary>Other kinds it may be, likelier ones first.</summary>
    public IReadOnlyList<string> AlsoLikely { get; init; } = [];

    /// <summary>Estimated tokens of the prompt.</summary>
    public required int PromptTokens { get; init; }

    /// <summary>The most tokens the answer may have.</summary>
    public required int MaxOutputTokens { get; init; }

    /// <summary>The model that alone may answer, as the producer wrote it.</summary>
    public string? Model { get; init; }
}

/// <summary>Either <see cref="Routed"/> or <see cref="NoModel"/>.</summary>
public abstract record RouteChoice
{
    private protected RouteChoice()
    {
    }
}

/// <summary>The chain to try in order; never empty, no model twice, and each can take the task.</summary>
/// <param name="Rule">Why this chain: the row's name, and what was changed about it.</param>
/// <param name="Models">First choice first.</param>
public sealed record Routed(string Rule, IReadOnlyList<ModelId> Models) : RouteChoice
{
    /// <summary>Who was passed over because the prompt is too long, and who takes it; null when nobody was.</summary>
    public string? Switched { get; init; }
}

/// <summary>No model can take the task as it is.</summary>
/// <param name="Reason">What was found, what was expected and what to do.</param>
public sealed record NoModel(string Reason) : RouteChoice
{
    /// <summary>A model would give such an answer, but no call holds the prompt beside it.</summary>
    public bool IsTooLong { get; init; }
}

/// <summary>What is known besides the task and the catalogue.</summary>
/// <param name="HasKey">Whether a provider, by its lower-case name, can be called.</param>
/// <param name="Today">Decides who has retired.</param>
/// <param name="TokensPerMinute">The most tokens one call to a model may reserve, where known: a call above the minute's limit never fits,
/// however long it waits. Null leaves it unchecked.</param>
public sealed record RouteConditions(Func<string, bool> HasKey, DateOnly Today, Func<ModelEntry, long?>? TokensPerMinute = null)
{
    /// <summary>How full the limits are, 0 to 1; see LoadRule.</summary>
    public double Load { get; init; }
}

/// <summary>Routes one task by the routing table: the first row that fits and has a model left which can take it.</summary>
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
            : WhyNobody(named, request, conditions);
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
            return new NoModel(Unknown(text, catalogue, conditions.Today));
        if (catalogue.InService(id, conditions.Today) is not { } entry)
            return new NoModel($"'{id}' has retired on {named.Retires:yyyy-MM-dd} and the catalogue names no successor; "
                + $"{KnownOf(id.Provider, catalogue, conditions.Today)}.");
        if (!conditions.HasKey(entry.Id.Provider))
            return new NoModel($"'{entry.Id}' cannot be called: no key of {entry.Id.Provider} is set; "
                + $"set {KeyName(entry.Id.Provider)}, or leave 'model' out to let the queue choose.");
        if (!Takes(entry, request, conditions))
            return TooLarge([entry], request, conditions);
        return new Routed(entry.Id == id ? "requested" : $"requested (retired: {id} → {entry.Id})", [entry.Id]);
    }

    /// <summary>Why a model of a row cannot take the task, as a sentence; null when it can.</summary>
    public static string? WhyLeftOut(ModelId named, RouteRequest request, ModelCatalogue catalogue, RouteConditions conditions) =>
        catalogue.InService(named, conditions.Today) is not { } entry
            ? $"has retired on {catalogue.Find(named)?.Retires:yyyy-MM-dd} without a successor"
        : !conditions.HasKey(entry.Id.Provider) ? $"no key of {entry.Id.Provider} is set ({KeyName(entry.Id.Provider)})"
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

    private static string Unknown(string text, ModelCatalogue catalogue, DateOnly today)
    {
        var all = catalogue.Models.Select(model => model.Id).ToList();
        // "qwen/qwen3-32b" is what people paste from the provider's page.
        if (all.FirstOrDefault(id => id.Name == text) is { } meant)
            return $"'{text}' is not in the catalogue; models are named 'provider:model': did you mean '{meant}'?";
        var provider = text.Contains(':') ? text[..text.IndexOf(':')] : "";
        var near = NearestName.Question(text, all.Select(id => id.ToString()));
        return $"'{text}' is not in the catalogue; {KnownOf(provider, catalogue, today)}{near}{(near.Length == 0 ? "." : "")}";
    }

    private static string KnownOf(string provider, ModelCatalogue catalogue, DateOnly today)
    {
        var serving = catalogue.Models.Where(model => !model.IsRetired(today)).ToList();
        var own = serving.Where(model => model.Id.Provider == provider).Select(model => model.Id.Name).ToList();
        return own.Count > 0
            ? $"known models of {provider} are {string.Join(", ", own)}"
            : $"known providers are {string.Join(", ", serving.Select(model => model.Id.Provider).Distinct())}, "
                + "and a model is named 'provider:model'";
    }

    private static NoModel WhyNobody(List<ModelEntry> candidates, RouteRequest request, RouteConditions conditions)
    {
        var callable = candidates.Where(entry => conditions.HasKey(entry.Id.Provider)).ToList();
        if (callable.Count > 0)
            return TooLarge(callable, request, conditions);
        var providers = candidates.Select(entry => entry.Id.Provider).Distinct().ToList();
        return new NoModel(providers.Count == 0
            ? "Every model of the routes that fit has retired without a successor; name one in the catalogue that serves."
            : $"No provider with a key can take this task: its routes name models of {string.Join(", ", providers)}; "
                + $"set {string.Join(" or ", providers.Select(KeyName))}.");
    }

    private static NoModel TooLarge(List<ModelEntry> callable, RouteRequest request, RouteConditions conditions)
    {
        var talkative = callable.MaxBy(entry => entry.MaxOutput)!;
        if (request.MaxOutputTokens > talkative.MaxOutput)
            return new NoModel($"'maxOutputTokens' is {request.MaxOutputTokens}; the longest answer that can be had here is "
                + $"{talkative.MaxOutput} tokens, from {talkative.Id}: ask for no more than that.");
        var found = $"The prompt is estimated at {request.PromptTokens} tokens and its answer may take {request.MaxOutputTokens}";
        var fitting = callable.Where(entry => entry.Takes(request.PromptTokens, request.MaxOutputTokens)).ToList();
        if (fitting.MaxBy(entry => conditions.TokensPerMinute?.Invoke(entry) ?? long.MaxValue) is { } busiest)
            return new NoModel($"{found}; a minute's limit here is at most {conditions.TokensPerMinute!(busiest)} tokens, of {busiest.Id}, "
                + "so the call could never be made: shorten or split the prompt, "
                + "lower 'maxOutputTokens', or add a key with a higher limit.") { IsTooLong = true };
        var widest = callable.MaxBy(entry => entry.Context)!;
        return new NoModel(
            $"{found}; the largest context that can be had here is {widest.Context} tokens, of {widest.Id}, nine tenths of it used, "
                + $"with answers up to {widest.MaxOutput}: shorten or split the prompt, or lower 'maxOutputTokens'.") { IsTooLong = true };
    }

    private static string KeyName(string provider) =>
        KnownProviders.Find(provider)?.FirstVariable ?? $"{provider.ToUpperInvariant()}_API_KEY";
}
