using LlmQueue.Contracts;
using LlmQueue.Limits;
using LlmQueue.Storage.Outbox;

namespace LlmQueue.Storage.Ledger;

/// <summary>
/// Detects changes of circuit breakers. They are compared under the lock that guards their row, so each change is published by exactly one
/// commit.
/// </summary>
internal static class BreakerChanges
{
    /// <summary>The states as they were found.</summary>
    public static void Note(Dictionary<string, BreakerState> states, IEnumerable<TokenBucket> buckets)
    {
        foreach (var bucket in buckets)
            states[bucket.Id] = Found(bucket);
    }

    public static IEnumerable<OutboxMessage> Since(Dictionary<string, BreakerState> before, IEnumerable<TokenBucket> buckets, DateTime now)
    {
        foreach (var bucket in buckets)
            if (Found(bucket) is var state && before.GetValueOrDefault(bucket.Id) != state)
                yield return new OutboxMessage(Guid.CreateVersion7(), Event(bucket, state, now), now);
    }

    private static ProviderHealthChanged Event(TokenBucket bucket, BreakerState state, DateTime now) => new()
    {
        Bucket = bucket.Id, State = state.ToString().ToLowerInvariant(), At = now,
        NextProbeAt = state == BreakerState.Open ? bucket.ProbeAt : null,
        Reason = state switch
        {
            BreakerState.Open => bucket.BrokenReason ?? "it met faults",
            BreakerState.Recovering => "a probe was answered; calls come back step by step",
            _ => "calls go through again",
        },
    };

    // A ramp that is past its time stands in the row until the next call ends: whoever takes it out tells of it.
    private static BreakerState Found(TokenBucket bucket) =>
        bucket.BrokenSince is not null ? BreakerState.Open : bucket.RampUntil is not null ? BreakerState.Recovering : BreakerState.Closed;
}
