using System.Security.Cryptography;
using LlmQueue.Storage.Tasks;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Storage.Intake;

/// <summary>
/// An ended task once more. An end is an end, and its event has been published: so the retry is a task of its own, with the same prompt and wishes, and an id that
/// follows from the first one's: pressed twice it is one retry. The retry can be retried.
/// </summary>
public sealed class Retries(IDbContextFactory<QueueDb> contexts, TimeProvider clock)
{
    /// <summary>Null when the task's prompt is no longer there.</summary>
    public async Task<AcceptedTask?> Of(Guid ended, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var old = await db.Tasks.AsNoTracking().FirstOrDefaultAsync(t => t.CorrelationId == ended, cancellationToken);
        var prompt = await db.Payloads.AsNoTracking().Where(p => p.SubjectId == ended && p.Part == PayloadRow.Prompt).Select(p => p.Content).FirstOrDefaultAsync(cancellationToken);
        if (old is null || prompt is null)
            return null;
        var now = clock.GetUtcNow().UtcDateTime;
        var row = new TaskRow
        {
            CorrelationId = IdOf(ended), Tenant = old.Tenant, Title = old.Title, Kind = old.Kind, Complexity = old.Complexity, Priority = old.Priority, HighStakes = old.HighStakes, Agent = old.Agent,
            Conversation = old.Conversation, RequestedModel = old.RequestedModel, MaxOutputTokens = old.MaxOutputTokens, Metadata = old.Metadata, WebhookUrl = old.WebhookUrl,
            // A deadline that has passed would end it at once; whoever retries wants it now.
            Deadline = old.Deadline > now ? old.Deadline : null,
            SubmittedAt = now, UpdatedAt = now, RungAt = now,
        };
        return new AcceptedTask(row, prompt, null);
    }

    private static Guid IdOf(Guid ended)
    {
        var bytes = SHA256.HashData([.. "retry of "u8, .. ended.ToByteArray(bigEndian: true)]).AsSpan(0, 16);
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x80);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }
}
