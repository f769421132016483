using System.Text.Json;
using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Storage.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Storage.Tasks;

/// <summary>Reads tasks for those who look at the queue from outside.</summary>
public sealed class TaskViews(IDbContextFactory<QueueDb> contexts, TimeProvider clock)
{
    public Task<TaskView?> Read(Guid id, CancellationToken cancellationToken) => Read(id, null, cancellationToken);

    /// <summary>
    /// Null as well when it is another tenant's, and as quickly: how long an answer takes must not tell that there is something. Every
    /// tenant's when <paramref name="tenant"/> is null.
    /// </summary>
    public async Task<TaskView?> Read(Guid id, string? tenant, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        if (await db.Tasks.AsNoTracking()
            .FirstOrDefaultAsync(t => t.CorrelationId == id && (tenant == null || t.Tenant == tenant), cancellationToken) is not { } row)
            return null;
        var attempts = await db.Attempts.AsNoTracking().Where(a => a.TaskId == id).OrderBy(a => a.Number).ToListAsync(cancellationToken);
        // The task may have moved on since its row was read; its history must not know more than its state says.
        var history = await db.History.AsNoTracking().Where(h => h.SubjectId == id && h.Version <= row.Version)
            .OrderBy(h => h.Version).ThenBy(h => h.Ordinal)
            .Select(h => new HistoryView(h.At, h.Entry, h.State, h.Reason)).ToListAsync(cancellationToken);
        var output = row.State != TaskStates.Completed ? null
            : await db.Payloads.AsNoTracking().Where(p => p.SubjectId == id && p.Part == PayloadRow.Answer)
                .Select(p => p.Content).FirstOrDefaultAsync(cancellationToken);
        var passes = row is { HighStakes: false, Pass.Name: null } ? []
            : await db.Payloads.AsNoTracking()
                .Where(p => p.SubjectId == id && (TaskPasses.Kept.Contains(p.Part) || p.Part.StartsWith(TaskPasses.Part + "-")))
                .Select(p => new PassView(p.Part, p.Content)).ToListAsync(cancellationToken);
        var expectations = await Expectations.For(db, [row], clock.GetUtcNow().UtcDateTime, cancellationToken);
        return Whole(row, expectations, attempts, history, output) with
        {
            Passes = [.. passes.OrderBy(p => TaskPasses.Order(p.Pass))], Webhook = await Webhook(db, row, cancellationToken),
        };
    }

    /// <summary>Newest first, as far as ids are of version 7.</summary>
    public async Task<TaskPage> List(TaskFilter filter, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var tasks = db.Tasks.AsNoTracking();
        if (filter.State is { } state)
            tasks = tasks.Where(t => t.State == state);
        if (filter.Tenant is { } tenant)
            tasks = tasks.Where(t => t.Tenant == tenant);
        if (filter.Kind is { } kind)
            tasks = tasks.Where(t => t.Kind == kind);
        if (filter.After is { } after)
            tasks = tasks.Where(t => t.CorrelationId < after);
        var rows = await tasks.OrderByDescending(t => t.CorrelationId).Take(filter.Limit + 1).ToListAsync(cancellationToken);
        var expectations = await Expectations.For(db, rows, clock.GetUtcNow().UtcDateTime, cancellationToken);
        var items = rows.Take(filter.Limit).Select(row => Item(row, expectations)).ToList();
        return new TaskPage(items, rows.Count > filter.Limit ? items[^1].Id : null);
    }

    /// <summary>Those of the ids that are known, whoever owns them.</summary>
    public async Task<IReadOnlyDictionary<Guid, Standing>> Known(IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await db.Tasks.AsNoTracking().Where(t => ids.Contains(t.CorrelationId))
            .Select(t => new Standing(t.CorrelationId, t.Tenant, t.State)).ToDictionaryAsync(s => s.Id, cancellationToken);
    }

    private static async Task<WebhookView?> Webhook(QueueDb db, TaskRow row, CancellationToken cancellationToken)
    {
        if (row.WebhookUrl is not { } url)
            return null;
        var call = await db.Webhooks.AsNoTracking().FirstOrDefaultAsync(w => w.TaskId == row.CorrelationId, cancellationToken);
        return call is null
            ? new WebhookView(null, url, "waiting", 0, null, null, null)
            : new WebhookView(call.Id, url, WebhookViews.StateOf(call), call.Attempts, call.LastResult,
                call.DoneAt is null ? call.DueAt : null, call.DoneAt);
    }

    private static TaskItem Item(TaskRow row, Expectations? expectations) => new()
    {
        Id = row.CorrelationId, State = row.State, Tenant = row.Tenant, Title = row.Title, Kind = row.Kind, Complexity = row.Complexity,
        Priority = Priorities.Name(row.Priority), Model = row.AnsweredModel,
        WaitingFor = row.Wait.For, WaitReason = row.Wait.Reason, WaitingSince = row.Wait.Since,
        ExpectedAt = expectations is null ? row.Wait.ExpectedAt : expectations.Of(row),
        Usage = new LlmUsage(row.InputTokens, row.OutputTokens), CostUsd = row.CostUnknown ? null : row.CostUsd,
        CostUnknown = row.CostUnknown,
        Reason = row.FailureReason, SubmittedAt = row.SubmittedAt, EndedAt = row.EndedAt, SummaryId = row.SummaryId,
    };

    private static TaskView Whole(
        TaskRow row, Expectations? expectations, List<AttemptRow> attempts, List<HistoryView> history, string? output) =>
        new(Item(row, expectations))
    {
        HighStakes = row.HighStakes, Agent = row.Agent, Conversation = row.Conversation, RequestedModel = row.RequestedModel,
        MaxOutputTokens = row.MaxOutputTokens, Deadline = row.Deadline, ClassifiedBy = row.ClassifiedBy, Confidence = row.Confidence,
        Route = row.Route.Rule,
        Chain = row.Route.Chain?.Names ?? [],
        Attempts = [.. attempts.Select(Attempt)], History = history, Output = output, Metadata = Labels.Read(row.Metadata),
    };

    private static AttemptView Attempt(AttemptRow row) => new()
    {
        Number = row.Number, Model = row.Model, ModelVersion = row.ModelVersion, KeyAlias = row.KeyAlias, Outcome = row.Outcome,
        Detail = row.Detail,
        InputTokens = row.InputTokens, OutputTokens = row.OutputTokens, CostUsd = row.CostUsd, Ms = row.LatencyMs, Why = row.Why,
        StartedAt = row.StartedAt, EndedAt = row.EndedAt,
    };
}
