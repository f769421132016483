using System.Text.Json;
using LlmQueue.Worker.Outcomes;

namespace LlmQueue.Worker.Calling.Reading;

/// <summary>The body of a successful answer.</summary>
/// <param name="Outcome">Null where the body is an error in spite of its 200.</param>
/// <param name="ErrorStatus">The status that such an error names; 500 where it names none.</param>
public readonly record struct Completion(CallOutcome? Outcome, int ErrorStatus);

/// <summary>Reads a chat.completion, in the variations in which providers send it. Pure.</summary>
public static class CompletionReader
{
    private const int LongestDetail = 500;

    // OpenAI: content_filter; Gemini's compatible endpoint adds why ("content_filter: PROHIBITED_CONTENT"); others pass their own words on.
    private static readonly string[] RefusedBy =
        ["content_filter", "safety", "recitation", "prohibited_content", "blocklist", "refusal", "sensitive"];

    public static Completion Read(ReadOnlyMemory<byte> body)
    {
        JsonElement root;
        try
        {
            using var document = JsonDocument.Parse(body);
            root = document.RootElement.Clone();
        }
        catch (JsonException e)
        {
            // A page from something in between, or half an answer: it may have been paid for.
            return Of(new CallOutcome.Malformed($"the body is not JSON ({e.Message})") { BrokenOff = true });
        }

        // OpenRouter has said 200 before its provider failed; Gemini wraps its errors into an array.
        if (ErrorIn(root) is { } error)
            return new Completion(null, StatusIn(error) ?? 500);
        return Of(Part(root, "choices") is { ValueKind: JsonValueKind.Array } choices && choices.GetArrayLength() > 0
            ? ReadChoice(root, choices[0])
            : new CallOutcome.Malformed("the answer has no choices"));
    }

    /// <summary>A provider's words, as they are kept: PostgreSQL cannot hold U+0000, and a page of HTML helps nobody.</summary>
    public static string Shortened(string text)
    {
        var clean = text.Replace("\0", "", StringComparison.Ordinal).Trim();
        return clean.Length == 0 ? "without a word" : clean.Length <= LongestDetail ? clean : clean[..LongestDetail] + "…";
    }

    private static Completion Of(CallOutcome outcome) => new(outcome, 0);

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
        {
            var cause = Shortened(Text(Part(choice, "error"), "message") ?? "");
            return new CallOutcome.Malformed($"the provider broke off with an error: {cause}", input, output) { BrokenOff = true };
        }

        // Mistral's word for the end of the window is model_length.
        var isCut = finish is "length" or "model_length" or "max_tokens";
        var calls = Part(message, "tool_calls");
        var toolCalls = calls.ValueKind == JsonValueKind.Array && calls.GetArrayLength() > 0 ? calls.GetRawText() : null;
        if (string.IsNullOrWhiteSpace(text) && toolCalls is null)
            return Empty(message, usage, isCut, input, output);
        // PostgreSQL cannot hold U+0000, and no reader misses it.
        return new CallOutcome.Answered((text ?? "").Replace("\0", "", StringComparison.Ordinal), input, output, Version(root), isCut)
        {
            Ending = Ending(finish, toolCalls),
        };
    }

    private static CallOutcome Empty(JsonElement message, JsonElement usage, bool isCut, long input, long output)
    {
        if (Text(message, "refusal") is { Length: > 0 } refusal)
            return new CallOutcome.ContentRefused(Shortened(refusal));
        if (!isCut)
            return new CallOutcome.Malformed("the answer is empty", input, output);
        var thoughts = Count(Part(usage, "completion_tokens_details"), "reasoning_tokens");
        var spent = thoughts > 0 ? thoughts : output;
        var detail = $"the answer is empty: all {spent} tokens it was allowed went into hidden reasoning";
        return new CallOutcome.OutputSpent(detail, input, output);
    }

    private static string? Version(JsonElement root)
    {
        var model = Text(root, "model");
        return model is not null && Text(root, "system_fingerprint") is { Length: > 0 } fingerprint ? $"{model} {fingerprint}" : model;
    }

    private static string? Ending(string? finish, string? toolCalls)
    {
        if (toolCalls is null && finish is null or "stop")
            return null;
        var calls = toolCalls is null ? "" : $",\"tool_calls\":{toolCalls}";
        return $$"""{"finish_reason":{{JsonSerializer.Serialize(finish ?? "tool_calls")}}{{calls}}}""";
    }

    private static JsonElement? ErrorIn(JsonElement root)
    {
        if (root.ValueKind == JsonValueKind.Array && root.GetArrayLength() > 0)
            root = root[0];
        var error = Part(root, "error");
        return error.ValueKind is JsonValueKind.Object or JsonValueKind.String && !root.TryGetProperty("choices", out _) ? error : null;
    }

    private static int? StatusIn(JsonElement error)
    {
        var code = Part(error, "code");
        return code.ValueKind == JsonValueKind.Number && code.TryGetInt32(out var status) && status is >= 400 and < 600 ? status : null;
    }

    private static JsonElement Part(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) ? value : default;

    private static string? Text(JsonElement element, string name) =>
        Part(element, name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    private static long Count(JsonElement element, string name) =>
        Part(element, name) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt64(out var count) ? count : 0;
}
