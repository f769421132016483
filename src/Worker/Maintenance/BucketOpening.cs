using LlmQueue.Storage;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Outbox;
using LlmQueue.Storage.Tables;
using LlmQueue.Worker.Admission;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace LlmQueue.Worker.Maintenance;

/// <summary>Opens rows of buckets, gives those that stand already their new limits, and shows them to admission.</summary>
public sealed class BucketOpening(
    NpgsqlDataSource database, StoreTables tables, LimitViews views, IDbContextFactory<QueueDb> contexts, TimeProvider clock)
{
    /// <param name="opened">The buckets.</param>
    /// <param name="reloaded">An event that is written with them; null for none.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task Open(IEnumerable<BucketInfo> opened, OutboxMessage? reloaded, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var rows = opened.Select(b => b.NewRow(now)).OrderBy(b => b.Id, StringComparer.Ordinal).ToList();
        var ids = rows.ConvertAll(row => row.Id).ToArray();
        await using (var connection = await database.OpenConnectionAsync(cancellationToken))
        await using (var transaction = await connection.BeginTransactionAsync(cancellationToken))
        await using (var batch = new NpgsqlBatch(connection, transaction))
        {
            if (rows.Count > 0)
            {
                batch.BatchCommands.Add(tables.InsertBuckets(rows));
                // In the order in which everybody locks them.
                batch.BatchCommands.Add(new NpgsqlBatchCommand("select id from buckets where id = any($1) order by id for update")
                {
                    Parameters = { new NpgsqlParameter<string[]> { TypedValue = ids } },
                });
                batch.BatchCommands.Add(tables.RelimitBuckets(rows));
                batch.BatchCommands.Add(tables.EnableBuckets(rows));
            }

            if (reloaded is not null)
                batch.BatchCommands.Add(tables.InsertOutbox([reloaded.ToRow()]));
            if (batch.BatchCommands.Count > 0)
                await batch.ExecuteNonQueryAsync(cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        }

        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        foreach (var bucket in await db.Buckets.AsNoTracking().Where(b => ids.Contains(b.Id)).ToListAsync(cancellationToken))
            views.Show(bucket);
    }
}
