using LlmQueue.Catalogue;
using LlmQueue.Hosting.Settings;

namespace LlmQueue.Worker.Routing;

/// <summary>Why nobody can take a task: what was found, what was expected and what to do.</summary>
internal static class RouteRefusals
{
    public static string Unknown(string text, ModelCatalogue catalogue, DateOnly today)
    {
        var all = catalogue.Models.Select(model => model.Id).ToList();
        // "qwen/qwen3-32b" is what people paste from the provider's page.
        if (all.FirstOrDefault(id => id.Name == text) is { } meant)
            return $"'{text}' is not in the catalogue; models are named 'provider:model': did you mean '{meant}'?";
        var provider = text.Contains(':') ? text[..text.IndexOf(':')] : "";
        var near = NearestName.Question(text, all.Select(id => id.ToString()));
        return $"'{text}' is not in the catalogue; {KnownOf(provider, catalogue, today)}{near}{(near.Length == 0 ? "." : "")}";
    }

    public static string KnownOf(string provider, ModelCatalogue catalogue, DateOnly today)
    {
        var serving = catalogue.Models.Where(model => !model.IsRetired(today)).ToList();
        var own = serving.Where(model => model.Id.Provider == provider).Select(model => model.Id.Name).ToList();
        return own.Count > 0
            ? $"known models of {provider} are {string.Join(", ", own)}"
            : $"known providers are {string.Join(", ", serving.Select(model => model.Id.Provider).Distinct())}, "
                + "and a model is named 'provider:model'";
    }

    public static NoModel WhyNobody(List<ModelEntry> candidates, RouteRequest request, RouteConditions conditions)
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

    public static NoModel TooLarge(List<ModelEntry> callable, RouteRequest request, RouteConditions conditions)
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

    public static string KeyName(string provider) =>
        KnownProviders.Find(provider)?.FirstVariable ?? $"{provider.ToUpperInvariant()}_API_KEY";
}
