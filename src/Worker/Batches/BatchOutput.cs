using System.Text.Json;
using LlmQueue.OpenAi;
using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Files;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Worker.Batches;

/// <summary>
/// Writes a batch's files: every line's answer in the one, every other line's reason in the other, each line in exactly one of them.
/// </summary>
public sealed class BatchOutput(FileStore files, BatchResults results, TimeProvider clock)
{
    private static readonly TimeSpan Kept = TimeSpan.FromDays(30);
    private static readonly byte[] LineBreak = "\n"u8.ToArray();

    /// <summary>
    /// The ids of the files; null for one that would be empty. Nobody sees them until the commit that ends the batch. Whoever comes
    /// after a crash, or after a lock that was lost with its session, writes files of its own: two that write at once never write into,
    /// or take away, each other's.
    /// </summary>
    public async Task<(Guid? Output, Guid? Error)> Write(BatchRow batch, CancellationToken cancellationToken)
    {
        FileWriter? output = null, error = null;
        try
        {
            await foreach (var result in results.Read(batch.Id, cancellationToken))
            {
                var line = JsonSerializer.SerializeToUtf8Bytes(Line(result), OpenAiFormat.Json);
                var writer = result.State == TaskStates.Completed
                    ? output ??= await Begin(batch, "output", cancellationToken)
                    : error ??= await Begin(batch, "error", cancellationToken);
                await writer.Write(line, cancellationToken);
                await writer.Write(LineBreak, cancellationToken);
            }

            return ((output is null ? null : await output.Seal(cancellationToken))?.Id,
                (error is null ? null : await error.Seal(cancellationToken))?.Id);
        }
        finally
        {
            if (output is not null)
                await output.DisposeAsync();
            if (error is not null)
                await error.DisposeAsync();
        }
    }

    private static BatchOutputLine Line(TaskResult result)
    {
        var id = $"batch_req_{result.TaskId:N}";
        return result.State switch
        {
            TaskStates.Completed => new BatchOutputLine(id, result.CustomId, Response(result, 200, result.ToChatAnswer()), null),
            TaskStates.Rejected => new BatchOutputLine(id, result.CustomId, Refusal(result), null),
            TaskStates.Expired => new BatchOutputLine(id, result.CustomId, null,
                new BatchFailure("batch_expired", "This request could not be executed before the completion window expired.")),
            TaskStates.Canceled => new BatchOutputLine(id, result.CustomId, null,
                new BatchFailure("batch_cancelled", "This request was not executed because the batch was cancelled.")),
            _ => new BatchOutputLine(id, result.CustomId, null, new BatchFailure("request_failed", result.Reason ?? "The request failed.")),
        };
    }

    /// <summary>What OpenAI would have answered this request with on its own.</summary>
    private static BatchResponse Refusal(TaskResult result)
    {
        if (result.Error is not { } json)
            return Response(result, 400,
                new { error = new OpenAiError(result.Reason ?? "The request was refused.", "invalid_request_error", null, null) });
        var error = JsonSerializer.Deserialize<OpenAiError>(json, OpenAiFormat.Json)!;
        return Response(result, error.Code == "model_not_found" ? 404 : 400, new { error });
    }

    private static BatchResponse Response(TaskResult result, int status, object body) => new(status, $"req_{result.TaskId:N}", body);

    private Task<FileWriter> Begin(BatchRow batch, string what, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        return files.Write(new FileRow
        {
            Id = Guid.CreateVersion7(clock.GetUtcNow()), Tenant = batch.Tenant, Purpose = "batch_output",
            Filename = $"{OpenAiFormat.Id(OpenAiFormat.BatchPrefix, batch.Id)}_{what}.jsonl",
            CreatedAt = now, ExpiresAt = now + (batch.OutputSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : Kept),
        }, cancellationToken);
    }
}
