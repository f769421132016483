using System.Collections.Concurrent;
using LlmQueue.Limits;
using LlmQueue.Storage;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Worker.Admission;

/// <summary>The buckets of each wait queue. Wait queues are few and never change, so each is read once.</summary>
public sealed class WaitQueueDirectory(IDbContextFactory<QueueDb> contexts)
{
    private readonly ConcurrentDictionary<string, WaitQueue> _lines = new(StringComparer.Ordinal);

    public void Know(WaitQueue line) => _lines.TryAdd(line.Id, line);

    public async ValueTask<WaitQueue> Find(string id)
    {
        if (_lines.TryGetValue(id, out var line))
            return line;
        await using var db = await contexts.CreateDbContextAsync();
        line = await db.Lines.AsNoTracking().FirstOrDefaultAsync(l => l.Id == id)
            ?? throw new InvalidOperationException(
                $"The line '{id}' has tasks but no row; it is written in the same transaction as the first of them.");
        Know(line);
        return line;
    }

    public async ValueTask<IReadOnlyList<string>> BucketsOf(string id) => (await Find(id)).BucketIds;
}
