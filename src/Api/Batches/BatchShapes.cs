using System.Text.Json;
using LlmQueue.OpenAi;
using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Api.Batches;

/// <summary>The batch object of OpenAI's API; every member is always there.</summary>
public sealed record BatchObject
{
    public required string Id { get; init; }
    public string Object => "batch";
    public required string Endpoint { get; init; }
    public BatchErrors? Errors { get; init; }
    public required string InputFileId { get; init; }
    public required string CompletionWindow { get; init; }
    public required string Status { get; init; }
    public string? OutputFileId { get; init; }
    public string? ErrorFileId { get; init; }
    public required long CreatedAt { get; init; }
    public long? InProgressAt { get; init; }
    public required long ExpiresAt { get; init; }
    public long? FinalizingAt { get; init; }
    public long? CompletedAt { get; init; }
    public long? FailedAt { get; init; }
    public long? ExpiredAt { get; init; }
    public long? CancellingAt { get; init; }
    public long? CancelledAt { get; init; }
    public required BatchRequestCounts RequestCounts { get; init; }
    public BatchUsage? Usage { get; init; }
    public JsonElement? Metadata { get; init; }

    public static BatchObject Of(BatchRow row, BatchCounts? counts) => new()
    {
        Id = OpenAiFormat.Id(OpenAiFormat.BatchPrefix, row.Id), Endpoint = row.Endpoint,
        InputFileId = OpenAiFormat.Id(OpenAiFormat.FilePrefix, row.InputFileId), CompletionWindow = row.CompletionWindow,
        Status = row.Status,
        Errors = row.Errors is { } errors
            ? new BatchErrors("list", JsonSerializer.Deserialize<List<BatchError>>(errors, OpenAiFormat.Json)!)
            : null,
        OutputFileId = File(row.OutputFileId), ErrorFileId = File(row.ErrorFileId),
        CreatedAt = OpenAiFormat.Seconds(row.CreatedAt), ExpiresAt = OpenAiFormat.Seconds(row.ExpiresAt),
        InProgressAt = OpenAiFormat.Seconds(row.InProgressAt), FinalizingAt = OpenAiFormat.Seconds(row.FinalizingAt),
        CompletedAt = OpenAiFormat.Seconds(row.CompletedAt), FailedAt = OpenAiFormat.Seconds(row.FailedAt),
        ExpiredAt = OpenAiFormat.Seconds(row.ExpiredAt),
        CancellingAt = OpenAiFormat.Seconds(row.CancellingAt), CancelledAt = OpenAiFormat.Seconds(row.CancelledAt),
        RequestCounts = counts is null
            ? new BatchRequestCounts(row.Total, row.Completed, row.Failed)
            : new BatchRequestCounts(counts.Total, counts.Completed, counts.Failed),
        Usage = BatchStatuses.Open.Contains(row.Status) ? null : BatchUsage.Of(row.InputTokens, row.OutputTokens),
        Metadata = Labels.Read(row.Metadata) is { } labels ? JsonSerializer.SerializeToElement(labels) : null,
    };

    private static string? File(Guid? id) => id is { } guid ? OpenAiFormat.Id(OpenAiFormat.FilePrefix, guid) : null;
}

public sealed record BatchErrors(string Object, IReadOnlyList<BatchError> Data);

public sealed record BatchRequestCounts(int Total, int Completed, int Failed);

public sealed record BatchUsage(
    long InputTokens, CachedTokens InputTokensDetails, long OutputTokens, ReasoningTokens OutputTokensDetails, long TotalTokens)
{
    public static BatchUsage Of(long input, long output) => new(input, new CachedTokens(0), output, new ReasoningTokens(0), input + output);
}

public sealed record CachedTokens([property: System.Text.Json.Serialization.JsonPropertyName("cached_tokens")] long Cached);

public sealed record ReasoningTokens([property: System.Text.Json.Serialization.JsonPropertyName("reasoning_tokens")] long Reasoning);

public sealed record BatchList(string Object, IReadOnlyList<BatchObject> Data, string? FirstId, string? LastId, bool HasMore)
{
    public static BatchList Of(IReadOnlyList<BatchObject> batches, bool hasMore) =>
        new("list", batches, batches.Count == 0 ? null : batches[0].Id, batches.Count == 0 ? null : batches[^1].Id, hasMore);
}
