using System.Text.Json;

namespace LlmQueue.Worker.Calling.Reading;

/// <summary>An HTTP answer, as it came.</summary>
public sealed record RawAnswer(int Status, ReadOnlyMemory<byte> Body, Func<string, string?> Header);

/// <summary>Turns what a provider sent into an outcome. Every quirk of a body is met here and nowhere else.</summary>
public static class AnswerReader
{
    private const int LongestDetail = 500;

    public static CallOutcome Read(RawAnswer answer, string provider, DateTimeOffset now)
    {
        var isSuccess = answer.Status is >= 200 and < 300;
        var error = isSuccess ? new ErrorBody { Text = "" } : ErrorBody.Read(answer.Body);
        var outcome = isSuccess ? ReadSuccess(answer, now) : ReadFailure(answer.Status, answer.Header, error, now);
        var count = RateHeaders.Count(name => answer.Header(name) ?? error.Headers.GetValueOrDefault(name), provider, now);
        // A refusal's words name the limit of the window that refused, and for some windows there is no header: the words win.
        if (outcome is CallOutcome.Throttled or CallOutcome.TooLarge)
            count = RateHeaders.WithWords(count, error);
        return outcome with { Count = count };
    }

    private static CallOutcome ReadSuccess(RawAnswer answer, DateTimeOffset now)
    {
        JsonElement root;
        try
        {
            root = JsonDocument.Parse(answer.Body).RootElement;
        }
        catch (JsonException e)
        {
            return new CallOutcome.Malformed($"the body is not JSON ({e.Message})");
        }

        if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("error", out var error) && error.ValueKind == JsonValueKind.Object)
            return ReadFailure(StatusIn(error) ?? 500, answer.Header, ErrorBody.Read(answer.Body), now);
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("choices", out var choices) || choices.ValueKind != JsonValueKind.Array || choices.GetArrayLength() == 0)
            return new CallOutcome.Malformed("the answer has no choices");

        var choice = choices[0];
        var finish = Text(choice, "finish_reason");
        var text = choice.TryGetProperty("message", out var message) ? Text(message, "content") : null;
        var usage = root.TryGetProperty("usage", out var u) && u.ValueKind == JsonValueKind.Object ? u : default;
        var (input, output) = (Count(usage, "prompt_tokens"), Count(usage, "completion_tokens"));
        if (finish == "content_filter")
            return new CallOutcome.ContentRefused("the provider's content filter stopped the answer");
        if (finish == "error")
            return new CallOutcome.Malformed("the provider broke off with an error", input, output);
        var toolCalls = message.ValueKind == JsonValueKind.Object && message.TryGetProperty("tool_calls", out var calls) && calls.ValueKind == JsonValueKind.Array && calls.GetArrayLength() > 0 ? calls.GetRawText() : null;
        if (string.IsNullOrWhiteSpace(text) && toolCalls is null)
        {
            var refusal = choice.TryGetProperty("message", out message) ? Text(message, "refusal") : null;
            return refusal is { Length: > 0 }
                ? new CallOutcome.ContentRefused(Shortened(refusal))
                : new CallOutcome.Malformed(finish == "length" ? "the answer is empty: all its tokens went into hidden reasoning; raise maxOutputTokens" : "the answer is empty", input, output);
        }

        // PostgreSQL cannot hold U+0000, and no reader misses it.
        var version = Text(root, "model") is { } model && Text(root, "system_fingerprint") is { Length: > 0 } print ? $"{model} {print}" : Text(root, "model");
        return new CallOutcome.Answered((text ?? "").Replace("\0", "", StringComparison.Ordinal), input, output, version, finish == "length") { Ending = Ending(finish, toolCalls) };
    }

    private static string? Ending(string? finish, string? toolCalls) => toolCalls is null && finish is null or "stop" ? null
        : $$"""{"finish_reason":{{JsonSerializer.Serialize(finish ?? "tool_calls")}}{{(toolCalls is null ? "" : $",\"tool_calls\":{toolCalls}")}}}""";

    private static CallOutcome ReadFailure(int status, Func<string, string?> header, ErrorBody error, DateTimeOffset now)
    {
        var detail = Shortened(error.Message ?? error.Text);
        string? Header(string name) => header(name) ?? error.Headers.GetValueOrDefault(name);

        return status switch
        {
            401 or 403 => new CallOutcome.KeyRefused($"{status} {detail}"),
            402 => new CallOutcome.OutOfCredit(detail),
            // Billing limits come as 429 too; asking again would be refused until someone pays.
            429 when error.Names("insufficient_quota") || error.Names("credit_balance_exhausted") || error.Names("spend_limit_exceeded") => new CallOutcome.OutOfCredit(detail),
            429 or 498 => new CallOutcome.Throttled(RateHeaders.Window(error), RetryWait.Of(Header, error, now), detail),
            413 => new CallOutcome.TooLarge(detail),
            400 when error.Names("context_length") || error.Says("context length") || error.Says("context window") => new CallOutcome.ContextExceeded(detail),
            400 or 404 or 410 when error.Names("model_decommissioned") || error.Names("model_not_found") || status is 410 || error.Says("decommissioned")
                || (status == 404 && error.Says("model")) => new CallOutcome.ModelGone(detail),
            400 when error.Names("content") || error.Names("safety") => new CallOutcome.ContentRefused(detail),
            408 or 404 or >= 500 => new CallOutcome.Unreachable($"{status} {detail}"),
            _ => new CallOutcome.BadRequest($"{status} {detail}"),
        };
    }

    private static int? StatusIn(JsonElement error) =>
        error.TryGetProperty("code", out var code) && code.ValueKind == JsonValueKind.Number && code.TryGetInt32(out var status) && status is >= 400 and < 600 ? status : null;

    private static string? Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) ? value.ValueKind == JsonValueKind.String ? value.GetString() : value.ValueKind == JsonValueKind.Number ? value.ToString() : null : null;

    private static long Count(JsonElement usage, string name) =>
        usage.ValueKind == JsonValueKind.Object && usage.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var count) ? count : 0;

    private static string Shortened(string text)
    {
        var clean = text.Replace("\0", "", StringComparison.Ordinal).Trim();
        return clean.Length == 0 ? "without a word" : clean.Length <= LongestDetail ? clean : clean[..LongestDetail] + "…";
    }
}
