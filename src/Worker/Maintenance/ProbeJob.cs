using LlmQueue.Limits;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Commits.Tables;
using LlmQueue.Storage.Ledger;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Calling;
using Microsoft.Extensions.Logging;
using Npgsql;
using Quartz;

namespace LlmQueue.Worker.Maintenance;

/// <summary>
/// Probes a provider whose breaker is open by asking for its list of models, which is free. Without an answer no call is risked either,
/// until the next probe. With one, a single call is let through now.
/// </summary>
[DisallowConcurrentExecution]
public sealed class ProbeJob(
    NpgsqlDataSource database, StoreTables tables, LimitViews views, BucketDirectory directory, ModelListProbe probe, ProbeTimers timers,
    CapacitySignal capacitySignal, TimeProvider clock, ILogger<ProbeJob> logger) : IJob
{
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(2);

    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default)
    {
        var id = context.MergedJobDataMap.GetString(ProbeTimers.Bucket);
        if (id is null || directory.Find(id) is not { } bucket)
            return;
        var silence = await probe.WhySilent(bucket.Keys[0], ProbeTimeout, cancellationToken);
        var next = await Write(id, silence, cancellationToken);
        logger.LogInformation("{Bucket} was looked at: {Found}.", id, silence ?? "it answers, and one call is let through");
        if (next is { } at)
            await timers.Set(id, at);
        else
            capacitySignal.Send();
    }

    /// <summary>Under the row's lock, as every change of a breaker. Null when nothing is to be looked at again.</summary>
    private async Task<DateTime?> Write(string id, string? silence, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using var read = new NpgsqlCommand($"select {StoreTables.BucketColumns} from buckets where id = $1 for update", connection,
            transaction) { Parameters = { new NpgsqlParameter<string> { TypedValue = id } } };
        TokenBucket? row = null;
        await using (var reader = await read.ExecuteReaderAsync(cancellationToken))
            if (await reader.ReadAsync(cancellationToken))
                row = StoreTables.ReadBucket(reader);
        if (row?.BrokenSince is null)
            return null;
        var now = clock.GetUtcNow().UtcDateTime;
        if (silence is not null)
            BreakerRule.StillAway(row, silence, now);
        else if (row.ProbeAt > now)
            row.ProbeAt = now;
        await using var batch = new NpgsqlBatch(connection, transaction);
        batch.BatchCommands.Add(tables.UpdateBuckets([row]));
        await batch.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        views.Show(row);
        return silence is null ? null : row.ProbeAt;
    }
}
