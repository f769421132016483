using LlmQueue.Storage.UnitsOfWork;

namespace LlmQueue.Storage.Commits;

/// <summary>
/// A unit of work in the queue of the group commit, until it is durable or must be decided again. It has one outcome; a second one is
/// ignored.
/// </summary>
internal sealed class PendingCommit(UnitOfWork transition)
{
    private readonly TaskCompletionSource<CommitOutcome> _outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public UnitOfWork UnitOfWork => transition;

    /// <summary>
    /// The row it is about: two transitions of one row cannot share a transaction, as the second would not see what the first has written.
    /// </summary>
    public Guid Subject { get; } = transition.Task?.CorrelationId ?? transition.Summary?.CorrelationId ?? Guid.NewGuid();

    public Task<CommitOutcome> Outcome => _outcome.Task;

    public bool IsSettled => _outcome.Task.IsCompleted;

    public void Settle(CommitOutcome outcome)
    {
        if (IsSettled)
            return;
        transition.Settle(outcome);
        _outcome.TrySetResult(outcome);
    }

    public void Fail(Exception e)
    {
        if (IsSettled)
            return;
        transition.Settle(null);
        _outcome.TrySetException(e);
    }

    public void Cancel()
    {
        if (IsSettled)
            return;
        transition.Settle(null);
        _outcome.TrySetCanceled();
    }
}
