using System.Collections.Concurrent;
using LlmQueue.Limits;

namespace LlmQueue.Storage.Ledger;

/// <summary>
/// This process's local view of buckets and budgets, on which admission decides without a lock and without a query. Every commit brings
/// back the true rows; what is decided but not yet committed is held apart, so that a hundred decisions at once do not spend the same
/// capacity.
/// </summary>
public sealed class LimitViews
{
    private readonly ConcurrentDictionary<string, BucketView> _buckets = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, BudgetView> _budgets = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> _refusedKeys = new(StringComparer.Ordinal);

    public void Show(TokenBucket row) =>
        _buckets.AddOrUpdate(row.Id, static (_, r) => new BucketView(r), static (_, view, r) => view.Replace(r), row);

    public void Show(Budget row) =>
        _budgets.AddOrUpdate(row.Id, static (_, r) => new BudgetView(r), static (_, view, r) => view.Replace(r), row);

    public BucketView? Bucket(string id) => _buckets.GetValueOrDefault(id);

    public BudgetView? Budget(string id) => _budgets.GetValueOrDefault(id);

    public IEnumerable<BucketView> Buckets => _buckets.Values;

    public string? WhyKeyRefused(string alias) => _refusedKeys.GetValueOrDefault(alias);

    public void ShowKey(string alias, string? refusedReason)
    {
        if (refusedReason is null)
            _refusedKeys.TryRemove(alias, out _);
        else
            _refusedKeys[alias] = refusedReason;
    }
}
