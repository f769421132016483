using LlmQueue.Store;
using LlmQueue.Store.Catalogue;

namespace LlmQueue.Worker.Selection;

/// <summary>What the routing table is asked.</summary>
public sealed record RouteRequest
{
    public string? Kind { get; init; }
    public string? Complexity { get; init; }
    public string? Priority { get; init; }

    /// <summary>Never sent down a row that is there for speed.</summary>
    public bool HighStakes { get; init; }

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

/// <summary>The chain to try in order; never empty, nobody twice, and each can take the task.</summary>
/// <param name="Rule">Why this chain: the row's name, and what was changed about it.</param>
/// <param name="Models">First choice first.</param>
public sealed record Routed(string Rule, IReadOnlyList<ModelId> Models) : RouteChoice;

/// <summary>Nobody can take the task as it is.</summary>
/// <param name="Reason">What was found, what was expected and what to do.</param>
public sealed record NoModel(string Reason) : RouteChoice;

/// <summary>What is known besides the task and the catalogue.</summary>
/// <param name="HasKey">Whether a provider, by its lower-case name, can be called.</param>
/// <param name="Today">Decides who has retired.</param>
/// <param name="TokensPerMinute">The most tokens one call to a model may reserve, where known: a call above the minute's limit never fits, however long it waits. Null leaves it unchecked.</param>
public sealed record RouteConditions(Func<string, bool> HasKey, DateOnly Today, Func<ModelEntry, long?>? TokensPerMinute = null);

/// <summary>The routing table, read for one task: the first row that fits and has somebody left who can take it.</summary>
public static class RoutingRule
{
    public static RouteChoice Decide(RouteRequest request, ModelCatalogue catalogue, RouteConditions conditions)
    {
        if (!string.IsNullOrWhiteSpace(request.Model))
            return Requested(request, catalogue, conditions);

        // A task with much at stake is as hard as it is: what reads as easy or hurried about it must not cost it the better model.
        var complexity = request is { HighStakes: true, Complexity: "low" } ? "medium" : request.Complexity ?? "";
        var priority = request is { HighStakes: true, Priority: "interactive" } ? "normal" : request.Priority ?? "normal";
        var rows = catalogue.Routes.Where(row => row.Fits(request.Kind ?? "", complexity, priority, request.PromptTokens)).ToList();
        foreach (var row in rows)
        {
            var chain = row.Models.Select(id => (Named: id, Entry: catalogue.InService(id, conditions.Today)))
                .Where(link => link.Entry is not null && conditions.HasKey(link.Entry.Id.Provider) && Takes(link.Entry, request, conditions))
                .ToList();
            if (chain.Count > 0)
                return new Routed(Rule(row, rows[0], chain) + WindowRule.PassedOver(row, chain[0].Named, request, catalogue, conditions), [.. chain.Select(link => link.Entry!.Id).Distinct()]);
        }
        var named = rows.SelectMany(row => row.Models).Select(id => catalogue.InService(id, conditions.Today)).OfType<ModelEntry>().Distinct().ToList();
        if (WindowRule.Longer(named, request, catalogue, conditions) is { } longer)
            return longer;
        return new NoModel(rows.Count == 0
            ? $"No route of the catalogue fits a task of kind '{request.Kind}' and complexity '{request.Complexity}'; add one with task 'any' and complexity 'any' at the end of its routes."
            : WhyNobody(named, request, conditions));
    }

    /// <summary>Those of a chain who can take the task today, in order: the retired are replaced, and who has no key or is too small is left out.</summary>
    public static IReadOnlyList<ModelId> Able(IEnumerable<ModelId> chain, RouteRequest request, ModelCatalogue catalogue, RouteConditions conditions) =>
        [.. catalogue.InService(chain, conditions.Today).Where(id => conditions.HasKey(id.Provider) && Takes(catalogue.Find(id)!, request, conditions))];

    private static RouteChoice Requested(RouteRequest request, ModelCatalogue catalogue, RouteConditions conditions)
    {
        var text = request.Model!.Trim();
        if (!ModelId.TryParse(text, out var id) || catalogue.Find(id) is not { } named)
            return new NoModel(Unknown(text, catalogue, conditions.Today));
        if (catalogue.InService(id, conditions.Today) is not { } entry)
            return new NoModel($"'{id}' has retired on {named.Retires:yyyy-MM-dd} and the catalogue names no successor; {KnownOf(id.Provider, catalogue, conditions.Today)}.");
        if (!conditions.HasKey(entry.Id.Provider))
            return new NoModel($"'{entry.Id}' cannot be called: no key of {entry.Id.Provider} is set; set {KeyName(entry.Id.Provider)}, or leave 'model' out to let the queue choose.");
        if (!Takes(entry, request, conditions))
            return new NoModel(TooLarge([entry], request, conditions));
        return new Routed(entry.Id == id ? "requested" : $"requested (retired: {id} → {entry.Id})", [entry.Id]);
    }

    private static bool Takes(ModelEntry entry, RouteRequest request, RouteConditions conditions) =>
        entry.Takes(request.PromptTokens, request.MaxOutputTokens) && FitsMinute(entry, request, conditions);

    private static bool FitsMinute(ModelEntry entry, RouteRequest request, RouteConditions conditions) =>
        conditions.TokensPerMinute?.Invoke(entry) is not { } limit || (long)request.PromptTokens + request.MaxOutputTokens <= limit;

    private static string Rule(Route row, Route first, List<(ModelId Named, ModelEntry? Entry)> chain)
    {
        var replaced = chain.Where(link => link.Entry!.Id != link.Named).Select(link => $"{link.Named} → {link.Entry!.Id}").ToList();
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
            : $"known providers are {string.Join(", ", serving.Select(model => model.Id.Provider).Distinct())}, and a model is named 'provider:model'";
    }

    private static string WhyNobody(List<ModelEntry> candidates, RouteRequest request, RouteConditions conditions)
    {
        var callable = candidates.Where(entry => conditions.HasKey(entry.Id.Provider)).ToList();
        if (callable.Count > 0)
            return TooLarge(callable, request, conditions);
        var providers = candidates.Select(entry => entry.Id.Provider).Distinct().ToList();
        return providers.Count == 0
            ? "Every model of the routes that fit has retired without a successor; name one in the catalogue that serves."
            : $"No provider with a key can take this task: its routes name models of {string.Join(", ", providers)}; set {string.Join(" or ", providers.Select(KeyName))}.";
    }

    private static string TooLarge(List<ModelEntry> callable, RouteRequest request, RouteConditions conditions)
    {
        var talkative = callable.MaxBy(entry => entry.MaxOutput)!;
        if (request.MaxOutputTokens > talkative.MaxOutput)
            return $"'maxOutputTokens' is {request.MaxOutputTokens}; the longest answer that can be had here is {talkative.MaxOutput} tokens, from {talkative.Id}: ask for no more than that.";
        var found = $"The prompt is estimated at {request.PromptTokens} tokens and its answer may take {request.MaxOutputTokens}";
        var fitting = callable.Where(entry => entry.Takes(request.PromptTokens, request.MaxOutputTokens)).ToList();
        if (fitting.MaxBy(entry => conditions.TokensPerMinute?.Invoke(entry) ?? long.MaxValue) is { } busiest)
            return $"{found}; a minute's limit here is at most {conditions.TokensPerMinute!(busiest)} tokens, of {busiest.Id}, so the call could never be made: shorten or split the prompt, lower 'maxOutputTokens', or add a key with a higher limit.";
        var widest = callable.MaxBy(entry => entry.Context)!;
        return $"{found}; the largest context that can be had here is {widest.Context} tokens, of {widest.Id}, nine tenths of it used, with answers up to {widest.MaxOutput}: shorten or split the prompt, or lower 'maxOutputTokens'.";
    }

    private static string KeyName(string provider) => provider == "local" ? "LOCAL_BASE_URL" : $"{provider.ToUpperInvariant()}_API_KEY";
}
