using System.Collections.Concurrent;
using LlmQueue.Storage.Loops;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Storage.Tasks;

/// <summary>
/// Waits for the end of tasks on behalf of callers: one statement for all of them, every 30 ms while anybody waits, and none while nobody
/// does. The row is asked and not the bus: an event may come late or twice, and every process would receive every task's.
/// </summary>
public sealed class TaskEnds(IDbContextFactory<QueueDb> contexts, TimeProvider clock, ILogger<TaskEnds> logger)
{
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(30);
    private readonly ConcurrentDictionary<Guid, Waiter> _waiters = new();
    private int _looking;

    /// <summary>Returns when the task has ended.</summary>
    public async Task Of(Guid task, CancellationToken cancellationToken)
    {
        var waiter = _waiters.AddOrUpdate(task, _ => new Waiter(1), (_, w) => w with { Count = w.Count + 1 });
        if (Interlocked.CompareExchange(ref _looking, 1, 0) == 0)
            _ = Look();
        try
        {
            await waiter.Ended.Task.WaitAsync(cancellationToken);
        }
        finally
        {
            if (_waiters.AddOrUpdate(task, waiter, (_, w) => w with { Count = w.Count - 1 }).Count <= 0)
                _waiters.TryRemove(task, out _);
        }
    }

    /// <summary>What became of it, as a line of a batch would have it.</summary>
    public async Task<TaskResult?> Result(Guid task, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        if (await db.Tasks.AsNoTracking().FirstOrDefaultAsync(t => t.CorrelationId == task, cancellationToken) is not { } row)
            return null;
        var parts = row.EndedAt is null
            ? []
            : await db.Payloads.AsNoTracking()
                .Where(p => p.SubjectId == task && (p.Part == PayloadRow.Answer || p.Part == PayloadRow.Ending))
            .ToDictionaryAsync(p => p.Part, p => p.Content, cancellationToken);
        return new TaskResult
        {
            CustomId = "", TaskId = task, State = row.State, Model = row.AnsweredModel, InputTokens = row.InputTokens,
            OutputTokens = row.OutputTokens, Reason = row.FailureReason ?? row.Wait.Reason, EndedAt = row.EndedAt,
            Answer = parts.GetValueOrDefault(PayloadRow.Answer), Ending = parts.GetValueOrDefault(PayloadRow.Ending),
        };
    }

    private async Task Look()
    {
        do
        {
            while (!_waiters.IsEmpty)
            {
                try
                {
                    Guid[] ids = [.. _waiters.Keys];
                    await using var db = await contexts.CreateDbContextAsync();
                    foreach (var ended in await db.Tasks.Where(t => ids.Contains(t.CorrelationId) && t.EndedAt != null)
                        .Select(t => t.CorrelationId).ToListAsync())
                        if (_waiters.TryGetValue(ended, out var waiter))
                            waiter.Ended.TrySetResult();
                }
                catch (Exception e) when (e is not OutOfMemoryException)
                {
                    if (!DatabaseFaults.IsPassing(e) && e is not ObjectDisposedException)
                        logger.LogError(e, "The ends of tasks could not be read; it is tried again.");
                    if (e is ObjectDisposedException)
                        return;
                }

                await Task.Delay(BetweenLooks, clock);
            }

            Volatile.Write(ref _looking, 0);
        }
        // Somebody may have come between the last look and the sign that nobody looks.
        while (!_waiters.IsEmpty && Interlocked.CompareExchange(ref _looking, 1, 0) == 0);
    }

    private sealed record Waiter(int Count)
    {
        public TaskCompletionSource Ended { get; init; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
