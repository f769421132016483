using LlmQueue.Contracts;
using LlmQueue.Storage;
using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Files;
using LlmQueue.Storage.Outbox;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.Batches;

/// <summary>
/// The batch processor: imports the files of batches, sees when their tasks have ended, ends those that are canceled or out of time, and
/// writes the results. Every step can be repeated from the row; a process that dies in one gives its lock back, and whichever worker looks
/// next goes on.
/// </summary>
public sealed class BatchProcessor(
    BatchRepository batches, BatchReader reader, BatchOutput output, BatchLock locks, FileStore files, CommandSender commandSender,
    CapacitySignal capacitySignal, Signal<BatchRow> batchMoves, TimeProvider clock, ILogger<BatchProcessor> logger) : BackgroundService
{
    private const int EndedTogether = 1_000;
    private static readonly TimeSpan Busy = TimeSpan.FromMilliseconds(500), Idle = TimeSpan.FromSeconds(5),
        AfterFault = TimeSpan.FromSeconds(30), BetweenRemovals = TimeSpan.FromHours(1);

    private readonly Dictionary<Guid, DateTimeOffset> _resting = [];
    private DateTimeOffset _nextRemoval;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var rest = Idle;
            try
            {
                if (await Round(stoppingToken))
                    rest = Busy;
                await batchMoves.Wait(rest, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (DatabaseFaults.IsPassing(e))
            {
                logger.LogInformation("No batch can be moved on now: {Reason}", e.Message);
                await Pause(stoppingToken);
            }
        }
    }

    /// <summary>True while any batch is open.</summary>
    private async Task<bool> Round(CancellationToken cancellationToken)
    {
        if (clock.GetUtcNow() >= _nextRemoval)
        {
            await files.RemoveExpired(cancellationToken);
            _nextRemoval = clock.GetUtcNow() + BetweenRemovals;
        }

        var open = await batches.Open(cancellationToken);
        // Those that have been seen running come first: a large file must not hold up the ends of others.
        foreach (var batch in open.OrderBy(b => b.Status == BatchStatuses.Validating))
        {
            if (_resting.TryGetValue(batch.Id, out var until) && clock.GetUtcNow() < until)
                continue;
            try
            {
                await Move(batch, cancellationToken);
                _resting.Remove(batch.Id);
            }
            catch (Exception e)
                when (e is not OutOfMemoryException && !cancellationToken.IsCancellationRequested && !DatabaseFaults.IsPassing(e))
            {
                logger.LogError(e, "Batch {Batch} met a fault while it was {Status}; it is tried again in {Seconds} s.", batch.Id,
                    batch.Status, AfterFault.TotalSeconds);
                _resting[batch.Id] = clock.GetUtcNow() + AfterFault;
            }
        }

        return open.Count > 0;
    }

    private async Task Move(BatchRow seen, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var hasEnded = seen.Status != BatchStatuses.Validating && await batches.HasEnded(seen.Id, cancellationToken);
        if (seen.Status == BatchStatuses.InProgress && !hasEnded && now < seen.ExpiresAt)
            return;
        await using var held = await locks.Take(seen.Id, cancellationToken);
        // Somebody else is at it, or was, since it was looked at.
        if (held is null || await batches.Find(seen.Id, null, cancellationToken) is not { } batch || batch.Status != seen.Status)
            return;
        switch (batch.Status)
        {
            case BatchStatuses.Validating:
                if (await reader.Read(batch, cancellationToken))
                    capacitySignal.Send();
                batchMoves.Set();
                break;
            case BatchStatuses.InProgress when hasEnded:
                await batches.BeginToEnd(batch.Id, cancellationToken);
                batchMoves.Set();
                break;
            case BatchStatuses.InProgress:
                await SendToWaiting(batch.Id, id => new DeadlinePassed(id), cancellationToken);
                break;
            case BatchStatuses.Cancelling when !hasEnded:
                await SendToWaiting(batch.Id, id => new CancelTask(id), cancellationToken);
                break;
            default:
                await End(batch, cancellationToken);
                break;
        }
    }

    /// <summary>
    /// Sends a command to each waiting task of the batch. The tasks' own state machine ends them, so that each has its history and its
    /// event; a command that is lost is sent again in the next round.
    /// </summary>
    private async Task SendToWaiting(Guid batch, Func<Guid, object> commandOf, CancellationToken cancellationToken) =>
        await commandSender.Send([.. (await batches.Waiting(batch, EndedTogether, cancellationToken)).Select(commandOf)], cancellationToken);

    private async Task End(BatchRow batch, CancellationToken cancellationToken)
    {
        var (outputFile, errorFile) = await output.Write(batch, cancellationToken);
        var counts = await batches.CountAll(batch.Id, cancellationToken);
        var status = batch.Status == BatchStatuses.Cancelling ? BatchStatuses.Cancelled
            : counts.Expired > 0 ? BatchStatuses.Expired : BatchStatuses.Completed;
        if (!await batches.End(batch.Id, status, counts, outputFile, errorFile, cancellationToken))
        {
            // Somebody else has ended it; nobody will ever ask for these.
            foreach (var file in new[] { outputFile, errorFile })
                if (file is { } unused)
                    await files.Remove(unused, cancellationToken);
            return;
        }

        logger.LogInformation("Batch {Batch} is {Status}: {Completed} of {Total} completed, {Failed} not.", batch.Id, status,
            counts.Completed, counts.Total, counts.Failed);
    }

    private async Task Pause(CancellationToken cancellationToken)
    {
        try
        {
            await Task.Delay(Busy, clock, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The loop sees it.
        }
    }
}
