using LlmQueue.Catalogue;
using LlmQueue.Hosting.Settings;
using LlmQueue.Limits;

namespace LlmQueue.Worker.Admission;

/// <summary>The buckets of each model: one for each organisation whose keys can call it. A changed catalogue brings others.</summary>
public sealed class BucketDirectory(ModelCatalogue catalogue, IReadOnlyDictionary<string, ProviderSettings> providers)
{
    private volatile BucketWays _now = new(catalogue, providers);

    public IReadOnlyCollection<BucketInfo> All => _now.All;

    public IReadOnlyList<BucketInfo> Of(ModelId model) => _now.Of(model);

    public BucketInfo? Find(string id) => _now.Find(id);

    /// <summary>The buckets as another catalogue has them.</summary>
    public BucketWays Of(ModelCatalogue next) => new(next, providers);

    /// <summary>Makes these the current ones; their rows exist already.</summary>
    public void Take(BucketWays ways) => _now = ways;
}

/// <summary>The buckets of one catalogue. Immutable.</summary>
public sealed class BucketWays
{
    private readonly Dictionary<string, BucketInfo> _byId = new(StringComparer.Ordinal);
    private readonly Dictionary<ModelId, IReadOnlyList<BucketInfo>> _byModel = [];

    internal BucketWays(ModelCatalogue catalogue, IReadOnlyDictionary<string, ProviderSettings> providers)
    {
        foreach (var model in catalogue.Models)
        {
            if (!providers.TryGetValue(model.Id.Provider, out var provider))
                continue;
            var buckets = provider.Keys.GroupBy(k => k.Organisation, StringComparer.Ordinal)
                .Select(keys => new BucketInfo($"{model.Id.Provider}/{keys.Key}/{model.Id.Name}", model, keys.Key, [.. keys])).ToList();
            _byModel[model.Id] = buckets;
            foreach (var bucket in buckets)
                _byId[bucket.Id] = bucket;
        }
    }

    public IReadOnlyCollection<BucketInfo> All => _byId.Values;

    public IReadOnlyList<BucketInfo> Of(ModelId model) => _byModel.GetValueOrDefault(model) ?? [];

    public BucketInfo? Find(string id) => _byId.GetValueOrDefault(id);
}

/// <summary>A bucket as the catalogue and the settings describe it.</summary>
/// <param name="Id">provider/organisation/model.</param>
/// <param name="Model">The model.</param>
/// <param name="Organisation">Whose limits it is.</param>
/// <param name="Keys">The keys that lead into it.</param>
public sealed record BucketInfo(string Id, ModelEntry Model, string Organisation, IReadOnlyList<ProviderKey> Keys)
{
    /// <summary>A full bucket, as the catalogue describes it.</summary>
    public TokenBucket NewRow(DateTime now)
    {
        var limits = Model.Limits;
        var row = new TokenBucket
        {
            Id = Id, Provider = Model.Id.Provider, Organisation = Organisation, Model = Model.Id.Name, AsOf = now,
            RequestsPerMinute = limits.RequestsPerMinute, RequestsPerDay = limits.RequestsPerDay, TokensPerMinute = limits.TokensPerMinute,
            TokensPerDay = limits.TokensPerDay,
            CatalogueLimits = $"{limits.RequestsPerMinute}/{limits.RequestsPerDay}/{limits.TokensPerMinute}/{limits.TokensPerDay}",
            ClaimedRequestsPerMinute = limits.RequestsPerMinute,
        };
        BucketRule.Fill(row);
        return row;
    }
}
