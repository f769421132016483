using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Files;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.Batches;

/// <summary>Ends a batch whose tasks have all ended: its files, its counts and its state.</summary>
public sealed class BatchEnding(BatchRepository batches, BatchOutput output, FileStore files, ILogger<BatchEnding> logger)
{
    public async Task End(BatchRow batch, CancellationToken cancellationToken)
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
}
