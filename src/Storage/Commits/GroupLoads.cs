using LlmQueue.Storage.Loops;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Storage.Commits;

/// <summary>Loads rows for messages that arrive at the same time in one query.</summary>
public sealed class GroupLoads<TRow> : BackgroundService where TRow : class, ISaga
{
    private const int Loops = 2;
    private readonly IDbContextFactory<QueueDb> _contexts;
    private readonly GroupLoop<PendingLoad> _loop;

    public GroupLoads(IDbContextFactory<QueueDb> contexts, TimeProvider clock, ILogger<GroupLoads<TRow>> logger)
    {
        _contexts = contexts;
        _loop = new GroupLoop<PendingLoad>(new GroupHandling<PendingLoad>
        {
            MaxGroup = 256, Handle = Load,
            Fail = (pending, e) => pending.Row.TrySetException(e), Cancel = pending => pending.Row.TrySetCanceled(CancellationToken.None),
            IsAway = (e, count) =>
                logger.LogWarning("The database does not answer ({Reason}); {Count} messages wait for it.", e.Message, count),
        }, clock, logger);
    }

    public Task<TRow?> Load(Guid id, CancellationToken cancellationToken = default)
    {
        var row = new TaskCompletionSource<TRow?>(TaskCreationOptions.RunContinuationsAsynchronously);
        return _loop.TryAdd(new PendingLoad(id, row))
            ? row.Task.WaitAsync(cancellationToken)
            : throw new OperationCanceledException("The store is stopping.");
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(Enumerable.Range(0, Loops).Select(_ => _loop.Run(stoppingToken)));

    private async Task Load(List<PendingLoad> group, CancellationToken cancellationToken)
    {
        var ids = group.Select(g => g.Id).Distinct().ToArray();
        await using var db = await _contexts.CreateDbContextAsync(cancellationToken);
        var rows = await db.Set<TRow>().AsNoTracking().Where(r => ids.Contains(r.CorrelationId))
            .ToDictionaryAsync(r => r.CorrelationId, cancellationToken);
        foreach (var (id, row) in group)
        {
            // Each message has an instance of its own: a second one of the same task takes a copy no pipe has touched.
            if (rows.Remove(id, out var found))
                row.TrySetResult(found);
            else if (group.Count(g => g.Id == id) > 1)
                row.TrySetResult(await db.Set<TRow>().AsNoTracking().FirstOrDefaultAsync(r => r.CorrelationId == id, cancellationToken));
            else
                row.TrySetResult(null);
        }
    }

    private readonly record struct PendingLoad(Guid Id, TaskCompletionSource<TRow?> Row);
}
