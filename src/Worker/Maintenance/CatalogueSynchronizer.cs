using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Storage;
using LlmQueue.Storage.Commits.Tables;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Outbox;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Leases;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace LlmQueue.Worker.Maintenance;

/// <summary>
/// Opens the buckets that a catalogue describes, at the start and whenever it changes: a model is never named to a decision before
/// its buckets are there.
/// </summary>
public sealed class CatalogueSynchronizer(
    BucketDirectory directory, NpgsqlDataSource database, StoreTables tables, LimitViews views, IDbContextFactory<QueueDb> contexts,
    OutboxPublisher outbox, WorkerIdentity identity, TimeProvider clock)
    : ICatalogueFollower
{
    /// <summary>
    /// At the start: every bucket, and what disabled one is forgotten, since a person may have replaced the key or mended the catalogue.
    /// </summary>
    public Task OpenAll(CancellationToken cancellationToken) => Open(directory.All, reloaded: null, cancellationToken);

    public async Task Follow(ModelCatalogue next, IReadOnlyList<string> changes, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var reloaded = new OutboxMessage(Guid.CreateVersion7(),
            new CatalogueReloaded { Worker = identity.Name, Fingerprint = next.Fingerprint, Changes = changes, At = now }, now);
        var ways = directory.Of(next);
        // A bucket whose model reads as before keeps what was learned of it, a closing and a disabling included.
        await Open(ways.All.Where(way => directory.Find(way.Id) is not { } known || !known.Model.ReadsAs(way.Model)), reloaded,
            cancellationToken);
        directory.Take(ways);
        outbox.Publish([reloaded]);
    }

    private async Task Open(IEnumerable<BucketInfo> opened, OutboxMessage? reloaded, CancellationToken cancellationToken)
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
