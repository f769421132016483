using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Calling.Claiming;
using LlmQueue.Worker.Outcomes;
using LlmQueue.Worker.Probes;

namespace LlmQueue.Worker.Calling;

/// <summary>Makes a claimed call, whichever way it was claimed, and raises its outcome.</summary>
public sealed class ClaimedCalls(
    TaskCalls tasks, ClassificationCalls classifications, LimitViews views, ProbeTimers probes, TimeProvider clock)
{
    /// <param name="claim">The attempt that this worker has claimed.</param>
    /// <param name="raise">Hands an outcome to its task's machine; done when it is committed.</param>
    public async Task Make(ClaimedCall claim, Func<CallFinished, Task> raise)
    {
        var finished = claim.State == TaskStates.Classifying ? await classifications.Make(claim) : [await tasks.Make(claim)];
        await Task.WhenAll(finished.Select(raise));
        // After the commit, so that the timer is set for what the row says.
        var isBroken = finished[0].Outcome.IsProvidersFault;
        if (isBroken && views.Bucket(claim.Bucket)?.At(clock.GetUtcNow().UtcDateTime) is { BrokenSince: not null, ProbeAt: { } probeAt })
            await probes.Set(claim.Bucket, probeAt);
    }
}
