using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace LlmQueue.Storage.Files;

/// <summary>
/// Files as rows of 64 KB: small enough to stay out of the large-object heap, so that any size streams in and out with flat memory.
/// No connection is held while somebody's network is waited for.
/// </summary>
public sealed class FileStore(NpgsqlDataSource database, IDbContextFactory<QueueDb> contexts, TimeProvider clock)
{
    public const int ChunkBytes = 64 << 10;

    /// <summary>Chunks written or read in one statement.</summary>
    internal const int Together = 16;

    private static readonly TimeSpan StillWriting = TimeSpan.FromMinutes(10);

    /// <summary>
    /// Opens a file for writing; it is shown to nobody until it is complete. An id that was begun before, by a process that died, begins
    /// anew after ten minutes, in which whoever began may still be at it.
    /// </summary>
    public async Task<FileWriter> Write(FileRow file, CancellationToken cancellationToken)
    {
        file.Status = FileStatuses.Uploading;
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var before = clock.GetUtcNow().UtcDateTime - StillWriting;
        if (await db.Files.AnyAsync(f => f.Id == file.Id && f.Status == FileStatuses.Uploading && f.CreatedAt < before, cancellationToken))
            await Remove(file.Id, cancellationToken);
        db.Files.Add(file);
        await db.SaveChangesAsync(cancellationToken);
        return new FileWriter(database, this, file);
    }

    /// <summary>The file, when it is whole and this tenant may see it; every tenant's when <paramref name="tenant"/> is null.</summary>
    public async Task<FileRow?> Find(Guid id, string? tenant, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await Visible(db, tenant).FirstOrDefaultAsync(f => f.Id == id, cancellationToken);
    }

    /// <summary>One page of a tenant's files by age; <paramref name="after"/> is the last of the page before.</summary>
    public async Task<(IReadOnlyList<FileRow> Files, bool HasMore)> List(
        string? tenant, string? purpose, FileRow? after, int limit, bool oldestFirst, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var files = Visible(db, tenant).Where(f => purpose == null || f.Purpose == purpose);
        files = oldestFirst
            ? files.Where(f => after == null || f.CreatedAt > after.CreatedAt || (f.CreatedAt == after.CreatedAt && f.Id > after.Id))
                .OrderBy(f => f.CreatedAt).ThenBy(f => f.Id)
            : files.Where(f => after == null || f.CreatedAt < after.CreatedAt || (f.CreatedAt == after.CreatedAt && f.Id < after.Id))
                .OrderByDescending(f => f.CreatedAt).ThenByDescending(f => f.Id);
        var found = await files.Take(limit + 1).ToListAsync(cancellationToken);
        return (found[..Math.Min(limit, found.Count)], found.Count > limit);
    }

    /// <summary>The bytes from a chunk on, a few chunks a statement.</summary>
    public async IAsyncEnumerable<byte[]> Read(Guid id, int firstChunk, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var next = firstChunk; ;)
        {
            var chunks = new List<byte[]>(Together);
            await using (var command = database.CreateCommand(
                $"select content from file_chunks where file_id = $1 and ordinal >= $2 order by ordinal limit {Together}"))
            {
                command.Parameters.AddWithValue(id);
                command.Parameters.AddWithValue(next);
                await using var reader = await command.ExecuteReaderAsync(cancellationToken);
                while (await reader.ReadAsync(cancellationToken))
                    chunks.Add(reader.GetFieldValue<byte[]>(0));
            }

            foreach (var chunk in chunks)
                yield return chunk;
            if (chunks.Count < Together)
                yield break;
            next += chunks.Count;
        }
    }

    public async Task Remove(Guid id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand("delete from files where id = $1")
                {
                    Parameters = { new NpgsqlParameter<Guid> { TypedValue = id } },
                },
                new NpgsqlBatchCommand("delete from file_chunks where file_id = $1")
                {
                    Parameters = { new NpgsqlParameter<Guid> { TypedValue = id } },
                },
            },
        };
        await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    private IQueryable<FileRow> Visible(QueueDb db, string? tenant)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        return db.Files.AsNoTracking().Where(f => f.Status == FileStatuses.Processed
            && (f.ExpiresAt == null || f.ExpiresAt > now)
            && (tenant == null || f.Tenant == tenant));
    }
}
