namespace LlmQueue.Contracts;

// Commands between the queue's own processes. Each only says "look at this row": what is to be done follows from the row,
// so every one of them may be lost, doubled, late or reordered. The attempt number is the fencing token: an old one changes nothing.

/// <summary>A task's row is written and waits to be looked at. Sent by whoever wrote it, and again by the rescuer.</summary>
/// <param name="TaskId">The task.</param>
public sealed record StartTask(Guid TaskId);

/// <summary>The capacity scheduler has booked capacity for a waiting task.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Attempt">The attempt the room was booked for.</param>
public sealed record CapacityGranted(Guid TaskId, int Attempt);

/// <summary>A budget may have room again for a task that waits for money.</summary>
/// <param name="TaskId">The task.</param>
public sealed record BudgetReleased(Guid TaskId);

/// <summary>A task's back-off after a fault is over.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Attempt">The attempt that met the fault.</param>
public sealed record RetryDelayElapsed(Guid TaskId, int Attempt);

/// <summary>Make the call of one attempt.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Attempt">The attempt; only the current one, and only once, is called.</param>
/// <param name="Provider">Whose queue it goes to: each provider has its own, so that one that hangs holds up no other. Null goes to
/// the common one.</param>
public sealed record CallProvider(Guid TaskId, int Attempt, string? Provider = null);

/// <summary>The worker that had claimed an attempt is gone, or the call outlived every limit.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Attempt">The abandoned attempt.</param>
public sealed record LeaseExpired(Guid TaskId, int Attempt)
{
    /// <summary>No worker ever claimed it: nothing was sent, and nothing is charged.</summary>
    public bool IsUnclaimed { get; init; }
}

/// <summary>The task's owner wants it no more.</summary>
/// <param name="TaskId">The task.</param>
public sealed record CancelTask(Guid TaskId);

/// <summary>The task's deadline has passed while it waited.</summary>
/// <param name="TaskId">The task.</param>
public sealed record DeadlinePassed(Guid TaskId);

/// <summary>A summary's row is written and waits to be looked at.</summary>
/// <param name="SummaryId">The summary.</param>
public sealed record StartSummary(Guid SummaryId);

/// <summary>Every task of a summary's present stage has ended.</summary>
/// <param name="SummaryId">The summary.</param>
/// <param name="Stage">The stage; an old one changes nothing.</param>
public sealed record StageSettled(Guid SummaryId, int Stage);

/// <summary>A summary's deadline is near: its result is to be made of what there is.</summary>
/// <param name="SummaryId">The summary.</param>
public sealed record SummaryDeadlineNears(Guid SummaryId);

/// <summary>The summary's owner wants it no more.</summary>
/// <param name="SummaryId">The summary.</param>
public sealed record CancelSummary(Guid SummaryId);

/// <summary>A batch was created or canceled: wakes the batch processor, which would else find the row at its next look.</summary>
/// <param name="BatchId">The batch.</param>
public sealed record MoveBatch(Guid BatchId);
