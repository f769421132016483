using System.Collections.Concurrent;
using LlmQueue.Limits;

namespace LlmQueue.Storage.Ledger;

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
