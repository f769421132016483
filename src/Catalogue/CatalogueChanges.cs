namespace LlmQueue.Catalogue;

/// <summary>Describes the differences between two catalogues, for a log and an event.</summary>
public static class CatalogueChanges
{
    public static IReadOnlyList<string> Between(ModelCatalogue before, ModelCatalogue after)
    {
        var changes = new List<string>();
        Say("models added", after.Models.Where(m => before.Find(m.Id) is null).Select(m => m.Id));
        Say("models removed", before.Models.Where(m => after.Find(m.Id) is null).Select(m => m.Id));
        Say("limits changed", Kept(m => m.Limits));
        Say("prices changed", Kept(m => m.Price));
        Say("retirement changed", Kept(m => (m.Retires, m.ReplacedBy)));
        Say("otherwise changed", Kept(m => (
            m with { Limits = ModelLimits.None, Price = ModelPrice.Unknown, Retires = null, ReplacedBy = null, Strengths = [] },
            string.Join(' ', m.Strengths))));
        if (!before.Routes.SequenceEqual(after.Routes, SameRoute.Instance))
            changes.Add("routes changed");
        if (!before.SummaryPool.SequenceEqual(after.SummaryPool) || !before.SynthesisModels.SequenceEqual(after.SynthesisModels))
            changes.Add("pools changed");
        if (!before.Tiers.ByTenant.OrderBy(t => t.Key, StringComparer.Ordinal)
            .SequenceEqual(after.Tiers.ByTenant.OrderBy(t => t.Key, StringComparer.Ordinal)))
            changes.Add("tiers changed");
        if (before.WidenBelow != after.WidenBelow)
            changes.Add($"'widenBelow' changed to {after.WidenBelow}");
        if (!before.Classifier.SequenceEqual(after.Classifier))
            changes.Add("classifier changed");
        if (!before.Critics.SequenceEqual(after.Critics) || !before.Extractors.SequenceEqual(after.Extractors))
            changes.Add("passes changed");
        return changes.Count > 0 ? changes : ["nothing that counts: comments or spaces"];

        IEnumerable<ModelId> Kept<T>(Func<ModelEntry, T> part) =>
            after.Models.Where(m => before.Find(m.Id) is { } was && !EqualityComparer<T>.Default.Equals(part(was), part(m)))
                .Select(m => m.Id);

        void Say(string what, IEnumerable<ModelId> which)
        {
            if (string.Join(", ", which) is { Length: > 0 } names)
                changes.Add($"{what}: {names}");
        }
    }

    // A record compares its lists by identity.
    private sealed class SameRoute : IEqualityComparer<Route>
    {
        public static SameRoute Instance { get; } = new();

        public bool Equals(Route? x, Route? y) =>
            x is not null && y is not null && x.Models.SequenceEqual(y.Models) && x with { Models = [] } == y with { Models = [] };

        public int GetHashCode(Route route) => route.Name.GetHashCode(StringComparison.Ordinal);
    }
}
