using System.Text.Json;
using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.OpenAi;
using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Intake;

namespace LlmQueue.Worker.Batches;

/// <summary>
/// Reads one line of a batch's input file. What makes a line no request at all (no JSON, no name, another address) fails the batch: the
/// file is not what it claims to be. What is wrong with the request itself is that request's result, in the error file under its name.
/// </summary>
public sealed class BatchLine(ModelChecks models, TimeProvider clock)
{
    private const int LongestName = 512;

    /// <summary>Exactly one of the two: the task under its name, or what fails the batch.</summary>
    public (string CustomId, ImportedLine Line)? Read(BatchRow batch, int number, ReadOnlyMemory<byte> line, out BatchError? error)
    {
        error = JsonText.WhereBroken(line.Span) is null
            ? null
            : new BatchError("invalid_json_line",
                "This line is not valid Unicode: a text has half of a surrogate pair, or bytes that are not UTF-8.", null, number);
        if (error is not null)
            return null;
        try
        {
            using var document = JsonDocument.Parse(line);
            var root = document.RootElement;
            error = WhatIsWrong(root, batch.Endpoint, number);
            if (error is not null)
                return null;
            return (root.GetProperty("custom_id").GetString()!, Expand(root.GetProperty("body"), batch));
        }
        catch (JsonException)
        {
            error = new BatchError("invalid_json_line", "This line is not parseable as valid JSON.", null, number);
            return null;
        }
    }

    private ImportedLine Expand(JsonElement body, BatchRow batch)
    {
        var (id, now) = (Guid.CreateVersion7(clock.GetUtcNow()), clock.GetUtcNow().UtcDateTime);
        try
        {
            var request = ChatRequest.Read(body, models, inParts: true);
            if (request.Stream)
                throw RefusedRequestException.Invalid("'stream' is true; a batch's answers come in its output file: leave it out.",
                    "stream", "invalid_value");
            var taken = TaskIntake.Read(request.Task with { Priority = Priorities.Name(Priorities.Batch) }, id, batch.Tenant, now);
            return taken.Refusal is { } refusal
                ? new ImportedLine(taken, RefusedRequestException.Invalid(refusal, null).Error.ToJson())
                : new ImportedLine(taken, null);
        }
        catch (RefusedRequestException refused)
        {
            // A row all the same: every line is accounted for in one way.
            var nothing = TaskIntake.Read(
                new LlmTask { Prompt = "-", Priority = Priorities.Name(Priorities.Batch) }, id, batch.Tenant, now);
            return new ImportedLine(nothing with { Refusal = refused.Message }, refused.Error.ToJson());
        }
    }

    private static BatchError? WhatIsWrong(JsonElement root, string endpoint, int number)
    {
        if (root.ValueKind is not JsonValueKind.Object)
            return new BatchError("invalid_json_line", "This line is not a JSON object.", null, number);
        if (!root.TryGetProperty("custom_id", out var name)
            || name.ValueKind is not JsonValueKind.String
            || name.GetString() is not { Length: > 0 and <= LongestName } text)
            return new BatchError("missing_required_parameter", $"The line has no 'custom_id' of 1 to {LongestName} characters.",
                "custom_id", number);
        if (text.Contains('\0', StringComparison.Ordinal))
            return new BatchError("invalid_value", "The 'custom_id' contains the character U+0000.", "custom_id", number);
        if (!root.TryGetProperty("method", out var method) || method.ValueKind is not JsonValueKind.String || method.GetString() != "POST")
            return new BatchError("invalid_method", "The 'method' of the line is not 'POST'; no other is supported.", "method", number);
        if (!root.TryGetProperty("url", out var url) || url.ValueKind is not JsonValueKind.String || url.GetString() != endpoint)
            return new BatchError("url_mismatch", $"The 'url' of the line is not the batch's endpoint '{endpoint}'.", "url", number);
        return root.TryGetProperty("body", out var body) && body.ValueKind is JsonValueKind.Object ? null
            : new BatchError("missing_required_parameter", "The line has no 'body' that is an object.", "body", number);
    }
}
