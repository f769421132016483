using LlmQueue.Limits;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Tables;
using Npgsql;

namespace LlmQueue.Worker.Probes;

/// <summary>Writes what a probe has found into the bucket's circuit breaker.</summary>
public sealed class ProbeFindings(NpgsqlDataSource database, StoreTables tables, LimitViews views, TimeProvider clock)
{
    /// <summary>Under the row's lock, as every change of a breaker. Null when nothing is to be looked at again.</summary>
    public async Task<DateTime?> Write(string id, string? silence, CancellationToken cancellationToken)
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
