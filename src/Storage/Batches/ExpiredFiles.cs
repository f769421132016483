using LlmQueue.Storage.Files;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Storage.Batches;

/// <summary>
/// Removes files whose time is over. It stands with the batches and not with the files, because a file that an open batch reads must stay.
/// </summary>
public sealed class ExpiredFiles(FileStore files, IDbContextFactory<QueueDb> contexts, TimeProvider clock)
{
    private const int AtOnce = 100;
    private static readonly TimeSpan LongestUpload = TimeSpan.FromDays(1);

    /// <summary>Removes what has expired, and what was begun a day ago and never completed.</summary>
    public async Task<int> Remove(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var gone = await db.Files.Where(f => f.ExpiresAt < now || (f.Status == FileStatuses.Uploading && f.CreatedAt < now - LongestUpload))
            .Where(f => !db.Batches.Any(b => b.InputFileId == f.Id && BatchStatuses.Open.Contains(b.Status)))
            .Select(f => f.Id).Take(AtOnce).ToListAsync(cancellationToken);
        foreach (var id in gone)
            await files.Remove(id, cancellationToken);
        return gone.Count;
    }
}
