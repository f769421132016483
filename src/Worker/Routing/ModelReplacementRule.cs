using LlmQueue.Catalogue;

namespace LlmQueue.Worker.Routing;

/// <summary>A chain after replacement.</summary>
/// <param name="Chain">The models, order kept, none twice.</param>
/// <param name="Replaced">Who gave way, and to whom, as sentences.</param>
public sealed record ModelReplacement(IReadOnlyList<ModelId> Chain, IReadOnlyList<string> Replaced);

/// <summary>
/// Replaces the models of a chain that have retired since it was routed, or are gone by their provider's own word, by their successors.
/// Pure.
/// </summary>
public static class ModelReplacementRule
{
    /// <summary>Null when every model of the chain is still in service, as nearly always.</summary>
    /// <param name="chain">As it was routed.</param>
    /// <param name="catalogue">The successors.</param>
    /// <param name="today">Decides who has retired.</param>
    /// <param name="isGone">What providers have said.</param>
    public static ModelReplacement? Of(IReadOnlyList<ModelId> chain, ModelCatalogue catalogue, DateOnly today, Func<ModelId, bool> isGone)
    {
        var changed = false;
        foreach (var id in chain)
            changed |= catalogue.Find(id) is { } entry && (entry.IsRetired(today) || (entry.ReplacedBy is not null && isGone(id)));
        if (!changed)
            return null;

        var (now, replaced) = (new List<ModelId>(chain.Count), new List<string>());
        foreach (var id in chain)
        {
            var heir = Serving(id, catalogue, today, isGone);
            if (heir != id)
                replaced.Add(
                    $"{id} {(catalogue.Find(id)!.IsRetired(today) ? $"retired on {catalogue.Find(id)!.Retires:yyyy-MM-dd}" : "is gone")}"
                        + $"{(heir is null ? " without a successor" : $": {heir} takes its place")}");
            if (heir is not null && !now.Contains(heir))
                now.Add(heir);
        }

        return replaced.Count == 0 ? null : new ModelReplacement(now, replaced);
    }

    private static ModelId? Serving(ModelId id, ModelCatalogue catalogue, DateOnly today, Func<ModelId, bool> isGone)
    {
        // The reader of the catalogue has refused circles, so this ends.
        while (catalogue.Find(id) is { } entry && (entry.IsRetired(today) || isGone(id)))
        {
            if (entry.ReplacedBy is null)
                return entry.IsRetired(today) ? null : id;
            // A successor that is not listed cannot be called: then the provider has the last word on whether the model is gone.
            if (catalogue.Find(entry.ReplacedBy) is null)
                return id;
            id = entry.ReplacedBy;
        }

        return id;
    }
}
