using System.Collections.Concurrent;
using LlmQueue.Limits;

namespace LlmQueue.Storage.Ledger;

/// <summary>
/// This process's own picture of the buckets and budgets, on which admission decides without a lock and without a query. Every
/// commit brings back the true rows; what is decided but not yet committed is held apart, so that a hundred decisions at once do not
/// spend the same room.
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

/// <summary>A bucket as last seen, less what this process has decided since.</summary>
public sealed class BucketView(TokenBucket row)
{
    private readonly Lock _lock = new();
    private TokenBucket _row = row;
    private int _heldRequests;
    private long _heldTokens;

    public string Id => _row.Id;

    public double? TokensPerMinute => _row.TokensPerMinute;

    /// <summary>Why nothing is sent to it at all; null when something is.</summary>
    public string? WhyDisabled => _row.DisabledReason;

    /// <summary>The row as it will be once everything held is committed, refilled to now.</summary>
    public TokenBucket At(DateTime now)
    {
        lock (_lock)
            return Present(now);
    }

    /// <summary>
    /// Takes the need if there is room at this moment; the caller gives it back with the returned action when its commit has an outcome.
    /// </summary>
    public Action? TryHold(ResourceDemand need, DateTime now)
    {
        lock (_lock)
        {
            if (_row.Waiting > 0 || BucketRule.OpensAt(Present(now), need, now).At > now)
                return null;
            _heldRequests += need.Requests;
            _heldTokens += need.Tokens;
        }

        return () =>
        {
            lock (_lock)
            {
                _heldRequests -= need.Requests;
                _heldTokens -= need.Tokens;
            }
        };
    }

    /// <summary>What a provider has just said counts at once, before the commit that makes it known to all.</summary>
    public void Learn(Action<TokenBucket> fact, DateTime now)
    {
        lock (_lock)
        {
            var learned = BucketRule.Copy(_row);
            BucketRule.Refill(learned, now);
            fact(learned);
            _row = learned;
        }
    }

    internal bool IsNewerThan(TokenBucket row)
    {
        lock (_lock)
            return CountersOf(_row) > CountersOf(row);
    }

    private static long CountersOf(TokenBucket row) => row.ReservedRequests + row.SettledRequests + row.ReleasedRequests;

    internal BucketView Replace(TokenBucket row)
    {
        lock (_lock)
            _row = row;
        return this;
    }

    private TokenBucket Present(DateTime now)
    {
        var present = BucketRule.Copy(_row);
        BucketRule.Refill(present, now);
        if (_heldRequests > 0)
            BucketRule.Reserve(present, new ResourceDemand(_heldRequests, _heldTokens));
        return present;
    }
}

/// <summary>A budget as last seen, less what this process has decided since.</summary>
public sealed class BudgetView(Budget row)
{
    private readonly Lock _lock = new();
    private Budget _row = row;
    private decimal _heldUsd;

    public Budget Row => _row;

    /// <summary>US dollars left for new work; null when unlimited.</summary>
    public decimal? LeftUsd
    {
        get
        {
            lock (_lock)
                return _row.LimitUsd is { } limit ? limit - _row.SpentUsd - _row.InFlightUsd - _heldUsd : null;
        }
    }

    public Action? TryHold(decimal usd)
    {
        lock (_lock)
        {
            if (_row.LimitUsd is { } limit && (limit - _row.SpentUsd - _row.InFlightUsd - _heldUsd < usd))
                return null;
            _heldUsd += usd;
        }

        return () =>
        {
            lock (_lock)
                _heldUsd -= usd;
        };
    }

    internal BudgetView Replace(Budget row)
    {
        lock (_lock)
            _row = row;
        return this;
    }
}
