using System.Text.Json;
using LlmQueue.OpenAi;
using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Webhooks;

namespace LlmQueue.Worker.Webhooks;

/// <summary>The body of a webhook. Thin on purpose: a receiver that wants the answer asks for it, and nobody on the way reads it.</summary>
public static class WebhookBody
{
    /// <param name="due">The call.</param>
    /// <param name="batch">Its batch; null where it tells of a task.</param>
    public static byte[] Of(DueWebhook due, BatchRow? batch) => batch is null ? OfTask(due) : OfBatch(due.Row, batch);

    private static byte[] OfTask(DueWebhook due) => JsonSerializer.SerializeToUtf8Bytes(new
    {
        type = due.Row.Type, timestamp = due.Row.CreatedAt,
        data = new
        {
            id = due.Row.TaskId, tenant = due.Row.Tenant, state = due.State, reason = due.Reason, self = $"/v1/tasks/{due.Row.TaskId}",
            metadata = Json(due.Metadata),
        },
    }, JsonSerializerOptions.Web);

    /// <summary>OpenAI's event as its clients unwrap it, and within it what saves a question.</summary>
    private static byte[] OfBatch(WebhookRow row, BatchRow batch)
    {
        var id = OpenAiFormat.Id(OpenAiFormat.BatchPrefix, batch.Id);
        return JsonSerializer.SerializeToUtf8Bytes(new
        {
            Id = $"evt_{row.Id:N}", Object = "event", row.Type, CreatedAt = OpenAiFormat.Seconds(row.CreatedAt), Timestamp = row.CreatedAt,
            Data = new
            {
                Id = id, row.Tenant, batch.Status, RequestCounts = new { batch.Total, batch.Completed, batch.Failed },
                OutputFileId = File(batch.OutputFileId), ErrorFileId = File(batch.ErrorFileId),
                Self = $"/v1/batches/{id}", Metadata = Json(batch.Metadata),
            },
        }, OpenAiFormat.Json);
    }

    private static string? File(Guid? id) => id is { } file ? OpenAiFormat.Id(OpenAiFormat.FilePrefix, file) : null;

    private static JsonElement? Json(string? text) => text is null ? null : JsonSerializer.Deserialize<JsonElement>(text);
}
