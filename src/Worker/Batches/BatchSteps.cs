using LlmQueue.Contracts;
using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Outbox;

namespace LlmQueue.Worker.Batches;

/// <summary>
/// One step of one batch, under its lock: its file is read, its tasks are seen to have ended, those that are canceled or out of time are
/// asked to end, its results are written.
/// </summary>
public sealed class BatchSteps(
    BatchRepository batches, BatchReader reader, BatchEnding ending, BatchLock locks, CommandSender commandSender,
    CapacitySignal capacitySignal)
{
    private const int EndedTogether = 1_000;

    /// <returns>True when the next step can be made at once.</returns>
    public async Task<bool> Move(BatchRow seen, DateTime now, CancellationToken cancellationToken)
    {
        var hasEnded = seen.Status != BatchStatuses.Validating && await batches.HasEnded(seen.Id, cancellationToken);
        if (seen.Status == BatchStatuses.InProgress && !hasEnded && now < seen.ExpiresAt)
            return false;
        await using var held = await locks.Take(seen.Id, cancellationToken);
        // Somebody else is at it, or was, since it was looked at.
        if (held is null || await batches.Find(seen.Id, null, cancellationToken) is not { } batch || batch.Status != seen.Status)
            return false;
        switch (batch.Status)
        {
            case BatchStatuses.Validating:
                if (await reader.Read(batch, cancellationToken))
                    capacitySignal.Send();
                return true;
            case BatchStatuses.InProgress when hasEnded:
                await batches.BeginToEnd(batch.Id, cancellationToken);
                return true;
            case BatchStatuses.InProgress:
                await SendForWaiting(batch.Id, id => new DeadlinePassed(id), cancellationToken);
                return false;
            case BatchStatuses.Cancelling when !hasEnded:
                await SendForWaiting(batch.Id, id => new CancelTask(id), cancellationToken);
                return false;
            default:
                await ending.End(batch, cancellationToken);
                return false;
        }
    }

    /// <summary>
    /// The tasks' own machine ends them, so that each has its history and its event; a command that is lost is sent
    /// again in the next round.
    /// </summary>
    private async Task SendForWaiting(Guid batch, Func<Guid, object> commandOf, CancellationToken cancellationToken) =>
        await commandSender.Send([.. (await batches.Waiting(batch, EndedTogether, cancellationToken)).Select(commandOf)],
            cancellationToken);
}
