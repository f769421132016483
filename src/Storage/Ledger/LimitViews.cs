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

    /// <summary>
    /// A row as it was read beside the commits. One that a commit of this process has overtaken meanwhile is left out: a ledger's counters
    /// never go back, so the row with the smaller ones is the older.
    /// </summary>
    public void Refresh(TokenBucket row)
    {
        if (Bucket(row.Id) is { } view && view.IsNewerThan(row))
            return;
        Show(row);
    }

    /// <inheritdoc cref="Refresh(TokenBucket)"/>
    public void Refresh(Budget row)
    {
        if (Budget(row.Id) is { Row: var known } && CountersOf(known) > CountersOf(row))
            return;
        Show(row);
    }

    private static decimal CountersOf(Budget row) => row.ReservedUsd + row.SettledUsd + row.ReleasedUsd;

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
