using System.Collections.Concurrent;
using LlmQueue.Limits;

namespace LlmQueue.Storage.Ledger;

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
    public DisabledReason? WhyDisabled => _row.DisabledReason;

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
            var learned = _row.Copy();
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
        var present = _row.Copy();
        BucketRule.Refill(present, now);
        if (_heldRequests > 0)
            BucketRule.Reserve(present, new ResourceDemand(_heldRequests, _heldTokens));
        return present;
    }
}
