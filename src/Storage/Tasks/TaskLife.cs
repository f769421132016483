using LlmQueue.Limits;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Storage.Tasks;

/// <summary>A history entry with its position.</summary>
/// <param name="Place">Sorts the moments; a reader that was cut off asks for what comes after the last it saw.</param>
/// <param name="Entry">What happened.</param>
public sealed record TaskMoment(long Place, HistoryView Entry);

/// <summary>Reads a task's history as it grows.</summary>
public sealed class TaskLife(IDbContextFactory<QueueDb> contexts)
{
    /// <summary>The moments after a place, and whether the task has ended with the last of them.</summary>
    public async Task<(IReadOnlyList<TaskMoment> Moments, bool Ended)> After(Guid task, long place, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        // The row first: what it says has ended has all its history.
        var row = await db.Tasks.AsNoTracking().Where(t => t.CorrelationId == task)
            .Select(t => new { t.Version, t.State }).FirstOrDefaultAsync(cancellationToken);
        if (row is null)
            return ([], true);
        var version = (int)(place >> 16);
        var entries = await db.History.AsNoTracking()
            .Where(h => h.SubjectId == task && h.Version >= version && h.Version <= row.Version).OrderBy(h => h.Version)
            .ThenBy(h => h.Ordinal).ToListAsync(cancellationToken);
        return (
            [.. entries.Select(
                h => new TaskMoment(((long)h.Version << 16) + h.Ordinal + 1, new HistoryView(h.At, h.Entry, h.State, h.Reason)))
                .Where(m => m.Place > place)],
            TaskStates.Ends.Contains(row.State));
    }
}
