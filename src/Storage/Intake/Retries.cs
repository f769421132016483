using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Storage.Intake;

/// <summary>
/// Retries an ended task. An end is final, and its event has been published: so the retry is a task of its own, with the same prompt and
/// options, and an id that follows from the first one's: asked for twice it is one retry. The retry can be retried.
/// </summary>
public sealed class Retries(IDbContextFactory<QueueDb> contexts, TimeProvider clock)
{
    /// <summary>Null when the task's prompt is no longer there.</summary>
    public async Task<AcceptedTask?> Of(Guid ended, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var old = await db.Tasks.AsNoTracking().FirstOrDefaultAsync(t => t.CorrelationId == ended, cancellationToken);
        var prompt = await db.Payloads.AsNoTracking().Where(p => p.SubjectId == ended && p.Part == PayloadRow.Prompt)
            .Select(p => p.Content).FirstOrDefaultAsync(cancellationToken);
        if (old is null || prompt is null)
            return null;
        var now = clock.GetUtcNow().UtcDateTime;
        var row = SubmittedTask.NewRow(DeterministicId.Of(old.Tenant, "task", "retry", $"{ended}"), old.Tenant, now);
        (row.Title, row.Kind, row.Complexity, row.Priority, row.HighStakes) = (old.Title, old.Kind, old.Complexity, old.Priority,
            old.HighStakes);
        (row.Agent, row.Conversation, row.RequestedModel, row.MaxOutputTokens) = (old.Agent, old.Conversation, old.RequestedModel,
            old.MaxOutputTokens);
        (row.Metadata, row.WebhookUrl) = (old.Metadata, old.WebhookUrl);
        // A deadline that has passed would end it at once; whoever retries wants it now.
        row.Deadline = old.Deadline > now ? old.Deadline : null;
        return new AcceptedTask(row, prompt, null);
    }
}
