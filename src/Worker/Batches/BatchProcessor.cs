using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Loops;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.Batches;

/// <summary>
/// The batch processor: imports the files of batches, sees when their tasks have ended, ends those that are canceled or out of time, and
/// writes the results. Every step can be repeated from the row; a process that dies in one gives its lock back, and whichever worker looks
/// next goes on.
/// </summary>
public sealed class BatchProcessor(
    BatchRepository batches, BatchSteps steps, ExpiredFiles expiredFiles, Signal<BatchRow> batchMoves, TimeProvider clock,
    ILogger<BatchProcessor> logger) : BackgroundService
{
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
            await expiredFiles.Remove(cancellationToken);
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
                if (await steps.Move(batch, clock.GetUtcNow().UtcDateTime, cancellationToken))
                    batchMoves.Set();
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
