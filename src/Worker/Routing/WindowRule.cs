using LlmQueue.Catalogue;

namespace LlmQueue.Worker.Routing;

/// <summary>
/// Routes a prompt that is too long for the models of its route: to a longer window of the chain, else of the catalogue. Pure.
/// </summary>
public static class WindowRule
{
    private const int LongestChain = 4;

    /// <summary>
    /// The models of a row that were passed over for their window before the first that holds the prompt, as words for the route; empty
    /// when there are none.
    /// </summary>
    public static string PassedOver(Route row, ModelId first, RouteRequest request, ModelCatalogue catalogue, RouteConditions conditions)
    {
        var tooShort = row.Models.TakeWhile(id => id != first).Select(id => catalogue.InService(id, conditions.Today)).OfType<ModelEntry>()
            .Where(entry => conditions.HasKey(entry.Id.Provider) && IsTooShort(entry, request))
            .Select(entry => entry.Id).Distinct().ToList();
        return tooShort.Count == 0 ? "" : $" (too long for {string.Join(", ", tooShort)})";
    }

    /// <summary>
    /// Where no model of the routes holds the prompt, those of the catalogue that do, the shortest sufficient window first; null when that
    /// is not what is wrong, or there are none.
    /// </summary>
    public static Routed? Longer(
        IReadOnlyList<ModelEntry> ofRoutes, RouteRequest request, ModelCatalogue catalogue, RouteConditions conditions)
    {
        var callable = ofRoutes.Where(entry => conditions.HasKey(entry.Id.Provider)).ToList();
        // A minute that never holds the call is as short as a window.
        if (callable.Count == 0
            || !callable.TrueForAll(entry => request.MaxOutputTokens <= entry.MaxOutput && !RoutingRule.Takes(entry, request, conditions)))
            return null;
        var longer = RoutingRule.Able(catalogue.Models.OrderBy(m => m.Context).Select(m => m.Id), request, catalogue, conditions)
            .Take(LongestChain).ToList();
        var found = $"nobody of the routes holds {request.PromptTokens + (long)request.MaxOutputTokens} tokens";
        return longer.Count == 0 ? null : new Routed($"window ({found})", longer) { Switched = $"{found}; {longer[0]} does" };
    }

    private static bool IsTooShort(ModelEntry entry, RouteRequest request) =>
        request.MaxOutputTokens <= entry.MaxOutput && !entry.Takes(request.PromptTokens, request.MaxOutputTokens);
}
