using System.Text.Json;
using LlmQueue.Worker.Recovery;

namespace LlmQueue.Worker.Calling.Reading;

/// <summary>An HTTP answer, as it came.</summary>
public sealed record RawAnswer(int Status, ReadOnlyMemory<byte> Body, Func<string, string?> Header);

/// <summary>Turns what a provider sent into an outcome. Every quirk of a body is met in this folder and nowhere else.</summary>
public static class AnswerReader
{
    // OpenAI: content_filter; Gemini's compatible endpoint adds why ("content_filter: PROHIBITED_CONTENT"); others pass their own words on.
    private static readonly string[] RefusedBy = ["content_filter", "safety", "recitation", "prohibited_content", "blocklist", "refusal", "sensitive"];

    public static CallOutcome Read(RawAnswer answer, string provider, DateTimeOffset now)
    {
        var error = answer.Status is >= 200 and < 300 ? null : ErrorBody.Read(answer.Body);
        var outcome = error is null ? ReadSuccess(answer, now, out error) : FailureReader.Read(answer.Status, answer.Header, error, now);
        var count = RateHeaders.Count(name => answer.Header(name) ?? error?.Headers.GetValueOrDefault(name), provider, now);
        // A refusal's words name the limit of the window that refused, and for some windows there is no header: the words win.
        if (error is not null && outcome is CallOutcome.Throttled or CallOutcome.TooLarge)
            count = RateHeaders.WithWords(count, error!);
        return outcome with { Count = count };
    }

    private static CallOutcome ReadSuccess(RawAnswer answer, DateTimeOffset now, out ErrorBody? error)
    {
        error = null;
        JsonElement root;
        try
        {
            using var document = JsonDocument.Parse(answer.Body);
            root = document.RootElement.Clone();
        }
        catch (JsonException e)
        {
            // A page from something in between, or half an answer: it may have been paid for.
            return new CallOutcome.Malformed($"the body is not JSON ({e.Message})") { BrokenOff = true };
        }

        // OpenRouter has said 200 before its provider failed; Gemini wraps its errors into an array.
        if (ErrorIn(root) is { } found)
        {
            error = ErrorBody.Read(answer.Body);
            return FailureReader.Read(StatusIn(found) ?? 500, answer.Header, error, now);
        }

        return root.ValueKind == JsonValueKind.Object && root.TryGetProperty("choices", out var choices) && choices.ValueKind == JsonValueKind.Array && choices.GetArrayLength() > 0
            ? ReadChoice(root, choices[0])
            : new CallOutcome.Malformed("the answer has no choices");
    }

    private static CallOutcome ReadChoice(JsonElement root, JsonElement choice)
    {
        var finish = Text(choice, "finish_reason") ?? Text(choice, "native_finish_reason");
        var message = Part(choice, "message");
        var text = Text(message, "content");
        var usage = Part(root, "usage");
        var (input, output) = (Count(usage, "prompt_tokens"), Count(usage, "completion_tokens"));
        if (RefusedBy.Any(word => finish?.StartsWith(word, StringComparison.OrdinalIgnoreCase) == true))
            return new CallOutcome.ContentRefused($"the provider's content filter stopped the answer ({finish})");
        if (finish == "error" || Part(choice, "error").ValueKind == JsonValueKind.Object)
            return new CallOutcome.Malformed($"the provider broke off with an error: {FailureReader.Shortened(Text(Part(choice, "error"), "message") ?? "")}", input, output) { BrokenOff = true };
        // Mistral's word for the end of the window is model_length.
        var isCut = finish is "length" or "model_length" or "max_tokens";
        var toolCalls = Part(message, "tool_calls") is { ValueKind: JsonValueKind.Array } calls && calls.GetArrayLength() > 0 ? calls.GetRawText() : null;
        if (string.IsNullOrWhiteSpace(text) && toolCalls is null)
        {
            var thoughts = Count(Part(usage, "completion_tokens_details"), "reasoning_tokens");
            return Text(message, "refusal") is { Length: > 0 } refusal ? new CallOutcome.ContentRefused(FailureReader.Shortened(refusal))
                : isCut ? new CallOutcome.OutputSpent($"the answer is empty: all {(thoughts > 0 ? thoughts : output)} tokens it was allowed went into hidden reasoning", input, output)
                : new CallOutcome.Malformed("the answer is empty", input, output);
        }

        // PostgreSQL cannot hold U+0000, and no reader misses it.
        var version = Text(root, "model") is { } model && Text(root, "system_fingerprint") is { Length: > 0 } print ? $"{model} {print}" : Text(root, "model");
        return new CallOutcome.Answered((text ?? "").Replace("\0", "", StringComparison.Ordinal), input, output, version, isCut) { Ending = Ending(finish, toolCalls) };
    }

    private static string? Ending(string? finish, string? toolCalls) => toolCalls is null && finish is null or "stop" ? null
        : $$"""{"finish_reason":{{JsonSerializer.Serialize(finish ?? "tool_calls")}}{{(toolCalls is null ? "" : $",\"tool_calls\":{toolCalls}")}}}""";

    private static JsonElement? ErrorIn(JsonElement root)
    {
        if (root.ValueKind == JsonValueKind.Array && root.GetArrayLength() > 0)
            root = root[0];
        return Part(root, "error") is { ValueKind: JsonValueKind.Object or JsonValueKind.String } error && !root.TryGetProperty("choices", out _) ? error : null;
    }

    private static int? StatusIn(JsonElement error) =>
        Part(error, "code") is { ValueKind: JsonValueKind.Number } code && code.TryGetInt32(out var status) && status is >= 400 and < 600 ? status : null;

    private static JsonElement Part(JsonElement element, string name) => element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) ? value : default;

    private static string? Text(JsonElement element, string name) => Part(element, name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    private static long Count(JsonElement element, string name) => Part(element, name) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt64(out var count) ? count : 0;
}
