using LlmQueue.Storage.Files;
using LlmQueue.Storage.Loops;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.Webhooks;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Query;

namespace LlmQueue.Storage.Batches;

/// <summary>
/// Batches as their owners see them, and the changes of their status. Each change names the status it leaves, so two processes cannot both
/// make it.
/// </summary>
public sealed class BatchRepository(IDbContextFactory<QueueDb> contexts, Signal<WebhookRow> webhookDue, TimeProvider clock)
{
    private const int MostTogether = 1000;

    public async Task Create(BatchRow batch, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        db.Batches.Add(batch);
        await db.SaveChangesAsync(cancellationToken);
    }

    public async Task<BatchRow?> Find(Guid id, string? tenant, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await db.Batches.AsNoTracking()
            .FirstOrDefaultAsync(b => b.Id == id && (tenant == null || b.Tenant == tenant), cancellationToken);
    }

    /// <summary>One page, newest first.</summary>
    public async Task<(IReadOnlyList<BatchRow> Batches, bool HasMore)> List(
        string? tenant, BatchRow? after, int limit, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var found = await db.Batches.AsNoTracking().Where(b => (tenant == null || b.Tenant == tenant)
                && (after == null || b.CreatedAt < after.CreatedAt || (b.CreatedAt == after.CreatedAt && b.Id < after.Id)))
            .OrderByDescending(b => b.CreatedAt).ThenByDescending(b => b.Id).Take(limit + 1).ToListAsync(cancellationToken);
        return (found[..Math.Min(limit, found.Count)], found.Count > limit);
    }

    /// <summary>
    /// Those that somebody has to move on: each tenant's oldest first, then each tenant's second, and so on. So a tenant with a thousand
    /// open batches does not stand before another's first.
    /// </summary>
    public async Task<IReadOnlyList<BatchRow>> Open(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var statuses = BatchStatuses.Open.ToArray();
        var ids = await db.Database.SqlQuery<Guid>($"""
            select id as "Value" from (
                select id, created_at, row_number() over (partition by tenant order by created_at, id) as turn
                from batches where status = any({statuses})) b
            order by turn, created_at limit {MostTogether}
            """).ToListAsync(cancellationToken);
        var found = await db.Batches.AsNoTracking().Where(b => ids.Contains(b.Id)).ToDictionaryAsync(b => b.Id, cancellationToken);
        return [.. ids.Where(found.ContainsKey).Select(id => found[id])];
    }

    public async Task<bool> IsReading(Guid file, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await db.Batches.AnyAsync(b => b.InputFileId == file && b.Status == BatchStatuses.Validating, cancellationToken);
    }

    /// <summary>
    /// Counted from one index: no row is written by every task that ends, and a count costs nothing until somebody asks for it.
    /// </summary>
    public async Task<BatchCounts> Count(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var states = await db.Tasks.Where(t => t.BatchId == id).GroupBy(t => t.State)
            .Select(g => new { State = g.Key, Count = g.Count() }).ToListAsync(cancellationToken);
        return new BatchCounts(states.Sum(s => s.Count), states.Where(s => s.State == TaskStates.Completed).Sum(s => s.Count),
            states.Where(s => s.State != TaskStates.Completed && TaskStates.Ends.Contains(s.State)).Sum(s => s.Count),
            states.Where(s => s.State == TaskStates.Expired).Sum(s => s.Count), 0, 0);
    }

    /// <summary>The same with the tokens, which are read from the tasks themselves: once, at the end.</summary>
    public async Task<BatchCounts> CountAll(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var tokens = await db.Tasks.Where(t => t.BatchId == id).GroupBy(t => 1)
            .Select(g => new { Input = g.Sum(t => t.InputTokens), Output = g.Sum(t => t.OutputTokens) })
            .FirstOrDefaultAsync(cancellationToken);
        return await Count(id, cancellationToken) with { InputTokens = tokens?.Input ?? 0, OutputTokens = tokens?.Output ?? 0 };
    }

    /// <summary>True when no task of it is on its way any more.</summary>
    public async Task<bool> HasEnded(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var open = TaskStates.All.Except(TaskStates.Ends).ToArray();
        return !await db.Tasks.AnyAsync(t => t.BatchId == id && open.Contains(t.State), cancellationToken);
    }

    /// <summary>Tasks that wait, for whoever is to end them; those that are being called are paid for and let finish.</summary>
    public async Task<IReadOnlyList<Guid>> Waiting(Guid id, int most, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        string[] waiting = [TaskStates.Submitted, TaskStates.WaitingForCapacity, TaskStates.WaitingForBudget, TaskStates.WaitingToRetry];
        return await db.Tasks.Where(t => t.BatchId == id && waiting.Contains(t.State)).Select(t => t.CorrelationId)
            .Take(most).ToListAsync(cancellationToken);
    }

    public Task<bool> Begin(Guid id, CancellationToken cancellationToken) =>
        Change(id, [BatchStatuses.Validating],
            now => s => s.SetProperty(b => b.Status, BatchStatuses.InProgress).SetProperty(b => b.InProgressAt, now), cancellationToken);

    public Task<bool> Fail(Guid id, string errors, CancellationToken cancellationToken) =>
        Finish(id, [BatchStatuses.Validating], BatchStatuses.Failed,
            now => s => s.SetProperty(b => b.Status, BatchStatuses.Failed).SetProperty(b => b.FailedAt, now)
                .SetProperty(b => b.Errors, errors),
            [], cancellationToken);

    public Task<bool> Cancel(Guid id, CancellationToken cancellationToken) =>
        Change(id, [BatchStatuses.Validating, BatchStatuses.InProgress],
            now => s => s.SetProperty(b => b.Status, BatchStatuses.Cancelling).SetProperty(b => b.CancellingAt, now), cancellationToken);

    public Task<bool> BeginToEnd(Guid id, CancellationToken cancellationToken) =>
        Change(id, [BatchStatuses.InProgress],
            now => s => s.SetProperty(b => b.Status, BatchStatuses.Finalizing).SetProperty(b => b.FinalizingAt, now), cancellationToken);

    /// <summary>
    /// The end, with what was counted and written; its files are seen from this commit on, and its owner is told by a row of the same.
    /// </summary>
    public Task<bool> End(Guid id, string status, BatchCounts counts, Guid? output, Guid? error, CancellationToken cancellationToken) =>
        Finish(id, [BatchStatuses.Finalizing, BatchStatuses.Cancelling], status, now => s => s.SetProperty(b => b.Status, status)
            .SetProperty(b => b.Total, counts.Total).SetProperty(b => b.Completed, counts.Completed)
            .SetProperty(b => b.Failed, counts.Failed)
            .SetProperty(b => b.InputTokens, counts.InputTokens).SetProperty(b => b.OutputTokens, counts.OutputTokens)
            .SetProperty(b => b.OutputFileId, output).SetProperty(b => b.ErrorFileId, error)
            .SetProperty(b => b.CompletedAt, b => status == BatchStatuses.Completed ? now : b.CompletedAt)
            .SetProperty(b => b.ExpiredAt, b => status == BatchStatuses.Expired ? now : b.ExpiredAt)
            .SetProperty(b => b.CancelledAt, b => status == BatchStatuses.Cancelled ? now : b.CancelledAt),
            [.. new[] { output, error }.OfType<Guid>()], cancellationToken);

    private async Task<bool> Finish(
        Guid id, string[] from, string status, Func<DateTime, Action<UpdateSettersBuilder<BatchRow>>> set, Guid[] files,
        CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        if (await db.Batches.Where(b => b.Id == id && from.Contains(b.Status)).ExecuteUpdateAsync(set(now), cancellationToken) == 0)
            return false;
        await db.Files.Where(f => files.Contains(f.Id))
            .ExecuteUpdateAsync(s => s.SetProperty(f => f.Status, FileStatuses.Processed), cancellationToken);
        var told = await db.Batches.Where(b => b.Id == id && b.WebhookUrl != null)
            .Select(b => new { b.Tenant, b.WebhookUrl }).FirstOrDefaultAsync(cancellationToken);
        if (told is not null)
            db.Webhooks.Add(new WebhookRow
            {
                Id = Guid.CreateVersion7(), BatchId = id, Tenant = told.Tenant, Url = told.WebhookUrl!, Type = $"batch.{status}",
                CreatedAt = now, DueAt = now,
            });
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        if (told is not null)
            webhookDue.Set();
        return true;
    }

    private async Task<bool> Change(
        Guid id, string[] from, Func<DateTime, Action<UpdateSettersBuilder<BatchRow>>> set, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await db.Batches.Where(b => b.Id == id && from.Contains(b.Status))
            .ExecuteUpdateAsync(set(clock.GetUtcNow().UtcDateTime), cancellationToken) == 1;
    }
}
