using LlmQueue.Catalogue;
using LlmQueue.Limits;
using LlmQueue.Storage.Ledger;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Calling.Claiming;

namespace LlmQueue.Worker.Calling.Guards;

/// <summary>The timeout of a claimed call, by what else of its chain could be asked now.</summary>
public sealed class CallTimeouts(LimitViews views, BucketDirectory directory, WorkerOptions options, TimeProvider clock)
{
    public TimeSpan For(ClaimedCall claim)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var chain = (claim.Chain ?? ModelChain.Nobody).Names;
        var othersLeft = CallTimeoutRule.Untried(chain, claim.Model, claim.Faults).Any(model => CanBeAsked(ModelId.Parse(model), now));
        return CallTimeoutRule.For(directory.Find(claim.Bucket)?.Model, othersLeft, options);
    }

    private bool CanBeAsked(ModelId model, DateTime now) => directory.Of(model).Any(bucket =>
        views.Bucket(bucket.Id)?.At(now) is { DisabledReason: null } row
        && BreakerRule.StateOf(row, now) != BreakerState.Open
        && !(row.ClosedUntil > now + options.FirstChoiceTimeout));
}
