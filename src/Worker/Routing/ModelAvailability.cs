using LlmQueue.Catalogue;
using LlmQueue.Limits;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Admission;

namespace LlmQueue.Worker.Routing;

/// <summary>The availability of models: which can be called now, and how much they take in one call.</summary>
public sealed class ModelAvailability(
    CurrentCatalogue catalogue,
    UsableProviders providers,
    BucketDirectory directory,
    LimitViews views,
    SystemLoad load)
{
    /// <summary>What routing has to know besides the task and the catalogue.</summary>
    public RouteConditions At(DateTime now) => new(providers.Has, DateOnly.FromDateTime(now), LargestMinute) { Load = load.At(now) };

    /// <summary>The most tokens a minute that any organisation has of a model, as learned; null where one has no limit.</summary>
    public long? LargestMinute(ModelEntry model)
    {
        double largest = 0;
        foreach (var bucket in directory.Of(model.Id))
        {
            if (views.Bucket(bucket.Id)?.TokensPerMinute is not { } limit)
                return null;
            largest = Math.Max(largest, limit);
        }

        return (long)largest;
    }

    /// <summary>Models in service with a key: the one that was asked for, else all.</summary>
    public IEnumerable<ModelEntry> MayAnswer(TaskRow task, DateTime now)
    {
        var today = DateOnly.FromDateTime(now);
        IEnumerable<ModelEntry> all = [];
        if (task.RequestedModel is null)
            all = catalogue.Now.Models.Where(m => !m.IsRetired(today));
        else if (ModelId.TryParse(task.RequestedModel.Trim(), out var asked) && catalogue.Now.InService(asked, today) is { } serving)
            all = [serving];
        return all.Where(m => providers.Has(m.Id.Provider));
    }

    /// <summary>Tokens of the largest call that any model takes which may answer the task.</summary>
    public int LargestCall(TaskRow task, DateTime now) =>
        (int)MayAnswer(task, now).Select(m => Math.Min((long)(m.Context * ModelEntry.UsedShare), LargestMinute(m) ?? long.MaxValue))
            .DefaultIfEmpty(0).Max();

    /// <summary>Every provider of the model has said that it is gone.</summary>
    public bool IsGone(ModelId id) =>
        directory.Of(id) is { Count: > 0 } buckets
            && buckets.All(bucket => views.Bucket(bucket.Id)?.WhyDisabled is { Cause: DisabledCause.ModelGone });

    /// <summary>
    /// The model that takes the place of one which its provider has taken off, perhaps before its day; null when there is none.
    /// </summary>
    public string? ReplacementOf(string model, DateTime now)
    {
        var gone = ModelId.Parse(model);
        var replacement = ModelReplacementRule.Of([gone], catalogue.Now, DateOnly.FromDateTime(now), id => id == gone || IsGone(id));
        return replacement is { Chain: [var successor] } ? successor.ToString() : null;
    }
}
