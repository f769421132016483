using LlmQueue.Catalogue;
using LlmQueue.Hosting.Settings;
using LlmQueue.Storage.Ledger;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.PageSummaries.Pages;
using LlmQueue.Worker.Routing;

namespace LlmQueue.Worker.PageSummaries;

/// <summary>The models that write page summaries, the one that writes the whole, and how much fits one call of each.</summary>
public sealed class SummaryPools(
    CurrentCatalogue catalogue, QueueSettings settings, BucketDirectory directory, UsableProviders providers, LimitViews views)
{
    /// <summary>No page is cut smaller than this for the sake of a model with a tiny limit; such a model just gets none.</summary>
    private const int SmallestCall = 2500;

    /// <summary>Longer parts are summarised worse, whatever the context (reference: MiddleSum), and wait longer for capacity.</summary>
    private const int LargestCall = 12_000;

    public IReadOnlyList<ModelId> Pages(DateOnly today) => Usable(settings.SummaryModels, catalogue.Now.SummaryPool, today);

    public IReadOnlyList<ModelId> Synthesis(DateOnly today) =>
        Usable(settings.SynthesisModels, catalogue.Now.SynthesisModels, today) is { Count: > 0 } models ? models : Pages(today);

    /// <summary>
    /// True when nothing can ever be sent to any model of the pool again, or not until a person mends it: every one is gone, retired
    /// or refuses every key.
    /// </summary>
    public bool NoneIsLeft(DateOnly today, DateTime now) =>
        Pages(today).SelectMany(directory.Of).All(b => views.Bucket(b.Id)?.At(now).DisabledReason is not null);

    /// <summary>Tokens of material that one call may carry so that every model of the pool can take it.</summary>
    public int MaterialOf(IReadOnlyList<ModelId> models, int outputTokens)
    {
        var calls = models.Select(LargestCallOf).Where(c => c >= SmallestCall).ToList();
        var call = calls.Count > 0 ? calls.Min() : models.Select(LargestCallOf).DefaultIfEmpty(SmallestCall).Max();
        return Material(Math.Min(call, LargestCall), outputTokens);
    }

    /// <summary>Tokens of material that fit a call of the roomiest of these models.</summary>
    public int LargestMaterialOf(IReadOnlyList<ModelId> models, int outputTokens) =>
        Material(Math.Min(models.Select(LargestCallOf).DefaultIfEmpty(SmallestCall).Max(), LargestCall * 2), outputTokens);

    /// <summary>
    /// A text is cut by its estimate, which was seen to be low by up to 37 % for tables and links; a part that does not fit after all would
    /// be refused for good.
    /// </summary>
    private static int Material(int call, int outputTokens) =>
        Math.Max(200, (int)((call - outputTokens - SummaryPrompts.FrameTokens) * 0.7));

    private int LargestCallOf(ModelId id)
    {
        var context = catalogue.Now.Find(id)?.Context ?? SmallestCall;
        // Nine tenths of the window: estimates err.
        var largest = context * 9L / 10;
        var minute = directory.Of(id).Select(b => views.Bucket(b.Id)?.TokensPerMinute).DefaultIfEmpty(null).Max();
        if (minute is { } limit)
            largest = Math.Min(largest, (long)(limit * 0.99));
        return (int)Math.Min(largest, int.MaxValue);
    }

    private List<ModelId> Usable(IReadOnlyList<string>? named, IReadOnlyList<ModelId> fromCatalogue, DateOnly today) =>
        [.. catalogue.Now.InService(named is { Count: > 0 } ? named.Select(ModelId.Parse) : fromCatalogue, today)
            .Where(id => providers.Has(id.Provider))];
}
