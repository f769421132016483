using System.Collections.Concurrent;
using LlmQueue.Hosting.Settings;
using LlmQueue.Storage.Ledger;
using LlmQueue.Worker.Admission;

namespace LlmQueue.Worker.Routing;

/// <summary>Chooses a key: round-robin among the healthy keys of a bucket, which share its limits.</summary>
public sealed class KeyChoice(LimitViews views)
{
    private readonly ConcurrentDictionary<string, int> _turns = new(StringComparer.Ordinal);

    public ProviderKey For(BucketInfo bucket)
    {
        var healthy = bucket.Keys.Where(k => views.WhyKeyRefused(k.Alias) is null).ToList();
        if (healthy.Count == 0)
            return bucket.Keys[0];
        var turn = _turns.AddOrUpdate(bucket.Id, 0, static (_, t) => unchecked(t + 1));
        return healthy[(int)((uint)turn % healthy.Count)];
    }
}

/// <summary>The providers that have a key, by lower-case name.</summary>
public sealed class UsableProviders(IReadOnlyDictionary<string, ProviderSettings> providers)
{
    public bool Has(string provider) => providers.ContainsKey(provider);

    public ProviderKey? Key(string alias) => providers.Values.SelectMany(p => p.Keys).FirstOrDefault(k => k.Alias == alias);
}
