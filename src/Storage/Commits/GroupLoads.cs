using System.Threading.Channels;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Storage.Commits;

/// <summary>Loads rows for messages that arrive at the same time in one query.</summary>
public sealed class GroupLoads<TRow>(IDbContextFactory<QueueDb> contexts, TimeProvider clock, ILogger<GroupLoads<TRow>> logger) : BackgroundService
    where TRow : class, ISaga
{
    private const int MaxGroup = 256;
    private const int Loops = 2;
    private readonly Channel<(Guid Id, TaskCompletionSource<TRow?> Row)> _waiting = Channel.CreateUnbounded<(Guid, TaskCompletionSource<TRow?>)>();

    public Task<TRow?> Load(Guid id, CancellationToken cancellationToken = default)
    {
        var row = new TaskCompletionSource<TRow?>(TaskCreationOptions.RunContinuationsAsynchronously);
        return _waiting.Writer.TryWrite((id, row)) ? row.Task.WaitAsync(cancellationToken) : throw new OperationCanceledException("The store is stopping.");
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(Enumerable.Range(0, Loops).Select(_ => Run(stoppingToken)));

    private async Task Run(CancellationToken stopping)
    {
        try
        {
            while (await _waiting.Reader.WaitToReadAsync(stopping))
            {
                var group = new List<(Guid Id, TaskCompletionSource<TRow?> Row)>();
                while (group.Count < MaxGroup && _waiting.Reader.TryRead(out var one))
                    group.Add(one);
                await Load(group, stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            logger.LogDebug("Loading stops.");
        }
        finally
        {
            _waiting.Writer.TryComplete();
            while (_waiting.Reader.TryRead(out var one))
                one.Row.TrySetCanceled(CancellationToken.None);
        }
    }

    private async Task Load(List<(Guid Id, TaskCompletionSource<TRow?> Row)> group, CancellationToken stopping)
    {
        for (var pause = TimeSpan.FromMilliseconds(50); ; pause = TimeSpan.FromMilliseconds(Math.Min(2000, pause.TotalMilliseconds * 2)))
        {
            try
            {
                var ids = group.Select(g => g.Id).Distinct().ToArray();
                await using var db = await contexts.CreateDbContextAsync(stopping);
                var rows = await db.Set<TRow>().AsNoTracking().Where(r => ids.Contains(r.CorrelationId)).ToDictionaryAsync(r => r.CorrelationId, stopping);
                foreach (var (id, row) in group)
                {
                    // Each message has an instance of its own: a second one of the same task takes a copy no pipe has touched.
                    if (rows.Remove(id, out var found))
                        row.TrySetResult(found);
                    else if (group.Count(g => g.Id == id) > 1)
                        row.TrySetResult(await db.Set<TRow>().AsNoTracking().FirstOrDefaultAsync(r => r.CorrelationId == id, stopping));
                    else
                        row.TrySetResult(null);
                }

                return;
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                group.ForEach(g => g.Row.TrySetCanceled(stopping));
                throw;
            }
            catch (Exception e) when (DatabaseFaults.IsPassing(e))
            {
                logger.LogWarning("The database does not answer ({Reason}); {Count} messages wait for it.", e.Message, group.Count);
                await Task.Delay(pause, clock, stopping);
            }
            catch (Exception e)
            {
                group.ForEach(g => g.Row.TrySetException(e));
                return;
            }
        }
    }
}
