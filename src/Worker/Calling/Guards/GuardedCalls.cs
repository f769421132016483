using LlmQueue.Hosting.Settings;
using LlmQueue.Limits;
using LlmQueue.Storage.Ledger;
using LlmQueue.Worker.Calling.Claiming;
using LlmQueue.Worker.Outcomes;
using LlmQueue.Worker.Routing;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.Calling.Guards;

/// <summary>
/// Guards a claimed call: without a key, with an open circuit breaker or in a worker that stops it is not made. Whatever happens, the call
/// has an outcome.
/// </summary>
public sealed class GuardedCalls(
    UsableProviders providers, LimitViews views, Breakers breakers, DrainTimeout drain, TimeProvider clock, ILogger<GuardedCalls> logger)
{
    /// <returns>What came of the call, and whether with it so many calls have failed that the breaker opens.</returns>
    public async Task<(CallOutcome Outcome, bool Opens)> Call(
        ClaimedCall claim, TimeSpan timeout, Func<ProviderKey, CancellationToken, ValueTask<CallOutcome>> ask)
    {
        var stopping = drain.IsOver;
        if (providers.Key(claim.KeyAlias) is not { } key)
            return (new CallOutcome.Unreachable($"this worker has no key '{claim.KeyAlias}'; give every worker the same keys"), false);
        // Admitted before the breaker opened: the provider is not asked, and the task is admitted elsewhere at once. A call that was
        // admitted since then is the probe.
        var bucket = views.Bucket(claim.Bucket)?.At(clock.GetUtcNow().UtcDateTime);
        if (bucket is { BrokenSince: not null } broken && !BreakerRule.IsProbe(broken, claim.AdmittedAt))
            return (new CallOutcome.HeldBack($"its circuit breaker is open: {broken.BrokenReason}"), false);
        try
        {
            return await breakers.Call(claim.Bucket, timeout, token => ask(key, token), stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The worker stops and its drain timeout is over. The answer, if one comes, is lost; the row says so at once instead of after
            // the lease.
            return (new CallOutcome.Abandoned("the worker stopped before the answer came"), false);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            logger.LogError(e, "A call through {Key} met a fault of our own.", key.Alias);
            return (new CallOutcome.Abandoned($"a fault of the queue itself: {e.GetType().Name}"), false);
        }
    }
}
