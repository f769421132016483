namespace LlmQueue.Store.Commits;

/// <summary>A transition that somebody waits for, until it is durable or must be decided again.</summary>
internal sealed record PendingCommit(Transition Transition, TaskCompletionSource<CommitOutcome> Outcome)
{
    public Guid Subject { get; } = Transition.Task?.CorrelationId ?? Transition.Summary?.CorrelationId ?? Guid.NewGuid();

    public void Settle(CommitOutcome outcome)
    {
        Transition.Settle(outcome);
        Outcome.TrySetResult(outcome);
    }

    public void Fail(Exception e)
    {
        Transition.Settle(null);
        Outcome.TrySetException(e);
    }

    public void Cancel()
    {
        Transition.Settle(null);
        Outcome.TrySetCanceled();
    }
}
