using System.Text.Json;
using LlmQueue.Catalogue;
using LlmQueue.Contracts;

namespace LlmQueue.OpenAi;

/// <summary>The body of /v1/chat/completions, as a task, and how its answer is to be delivered.</summary>
public sealed record ChatRequest(LlmTask Task, bool Stream, bool IncludeUsage)
{
    // Said for OpenAI's own service; they change nothing about an answer.
    private static readonly string[] PassedOver = ["store", "service_tier", "safety_identifier", "prompt_cache_key", "modalities"];
    private static readonly string[] Own =
        ["model", "messages", "max_tokens", "max_completion_tokens", "stream", "stream_options", "metadata", "logprobs", .. PassedOver];

    /// <param name="body">The body.</param>
    /// <param name="models">What the catalogue can refuse.</param>
    /// <param name="inParts">A prompt that is too long for one call is taken all the same, to be read in parts.</param>
    /// <exception cref="RefusedRequestException">400 or 404: what is wrong, and in which field.</exception>
    public static ChatRequest Read(JsonElement body, ModelChecks models, bool inParts)
    {
        if (body.ValueKind is not JsonValueKind.Object)
            throw Refused("The body is not an object; expected {\"model\": …, \"messages\": […]}.", null);
        var messages = Messages(body);
        var model = Model(body, models);
        if (models.WhyTooLarge(messages.Sum(m => (long)m.Content.Length), model, inParts) is { } tooLarge)
            throw Refused(tooLarge, "messages", "context_length_exceeded");
        if (Field(body, "logprobs") is { } logprobs && Flag(logprobs, "logprobs"))
            throw Refused(
                "'logprobs' is true; the queue keeps an answer's text and its tool calls, not how likely its tokens were: leave it out.",
                "logprobs", "unsupported_value");
        var stream = Field(body, "stream") is { } s && Flag(s, "stream");
        return new ChatRequest(
            new LlmTask
            {
                Messages = messages, Model = model, MaxOutputTokens = Longest(body), Parameters = Parameters(body), Metadata = Labels(body),
            },
            stream,
            Field(body, "stream_options") is { ValueKind: JsonValueKind.Object } options
                && options.TryGetProperty("include_usage", out var usage)
                && usage.ValueKind is JsonValueKind.True);
    }

    private static string? Model(JsonElement body, ModelChecks models)
    {
        if (Field(body, "model") is not { ValueKind: JsonValueKind.String } named || Text(named) is not { Length: > 0 } text)
            throw Refused("You must provide a model parameter: a model of GET /v1/models, or 'auto' to let the queue choose.", "model",
                "missing_required_parameter");
        return models.TryName(text, out var model) ? model
            : throw RefusedRequestException.NoSuchModel(models.WhyUnknown(text)!);
    }

    private static List<LlmMessage> Messages(JsonElement body)
    {
        if (Field(body, "messages") is not { } list)
            throw Refused("Missing required parameter: 'messages'.", "messages", "missing_required_parameter");
        if (list.ValueKind is not JsonValueKind.Array || list.GetArrayLength() == 0)
            throw Refused("'messages' is not a list of at least one message.", "messages", "invalid_type");
        return [.. list.EnumerateArray().Select(Message)];
    }

    private static LlmMessage Message(JsonElement message, int index)
    {
        if (message.ValueKind is not JsonValueKind.Object || Field(message, "role") is not { ValueKind: JsonValueKind.String } role)
            throw Refused($"messages[{index}] is not an object with a 'role'.", $"messages[{index}].role", "missing_required_parameter");
        var read = message.Deserialize<LlmMessage>()!;
        if (read.Misfit is { } misfit)
            throw Refused($"messages[{index}]{misfit}.", $"messages[{index}]{misfit[..misfit.IndexOf(' ', StringComparison.Ordinal)]}",
                "invalid_value");
        if (read.Content is null)
            throw Refused($"messages[{index}].content is missing; expected a text or a list of parts.", $"messages[{index}].content",
                "invalid_type");
        return read;
    }

    private static int? Longest(JsonElement body)
    {
        foreach (var name in new[] { "max_completion_tokens", "max_tokens" })
            if (Field(body, name) is { } value)
                return value.ValueKind is JsonValueKind.Number && value.TryGetInt32(out var tokens) && tokens is >= 1 and <= 1_000_000
                    ? tokens
                    : throw Refused($"'{name}' is {value.GetRawText()}; expected a whole number from 1 to 1,000,000.", name,
                        "invalid_value");
        return null;
    }

    private static JsonElement? Parameters(JsonElement body)
    {
        var rest = body.EnumerateObject()
            .Where(p => p.Value.ValueKind is not JsonValueKind.Null && !Own.Contains(p.Name, StringComparer.Ordinal))
            .ToDictionary(p => p.Name, p => p.Value, StringComparer.Ordinal);
        if (rest.Count == 0)
            return null;
        var parameters = JsonSerializer.SerializeToElement(rest);
        if (ParameterRule.WhatIsWrong(parameters) is { } wrong)
            throw wrong.IsUnknown
                ? Refused(
                    "Unrecognized request argument supplied: "
                        + $"{wrong.Name}{NearestName.Question(wrong.Name, [.. Own, .. ParameterRule.Known])}",
                    wrong.Name, "unknown_parameter")
                : Refused(wrong.Sentence, wrong.Name, "invalid_value");
        return parameters;
    }

    private static Dictionary<string, string>? Labels(JsonElement body)
    {
        if (Field(body, "metadata") is not { } metadata)
            return null;
        if (metadata.ValueKind is not JsonValueKind.Object
            || metadata.EnumerateObject().Any(p => p.Value.ValueKind is not JsonValueKind.String))
            throw Refused("'metadata' is not an object of texts.", "metadata", "invalid_type");
        return metadata.EnumerateObject().GroupBy(p => p.Name, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => Text(g.Last().Value), StringComparer.Ordinal);
    }

    private static bool Flag(JsonElement value, string name) =>
        value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
            : throw Refused($"'{name}' is {value.GetRawText()}; expected true or false.", name, "invalid_type");

    /// <summary>Null where the field is left out or null.</summary>
    private static JsonElement? Field(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind is not JsonValueKind.Null ? value : null;

    private static string Text(JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Refused("A text is not valid Unicode: it has half of a surrogate pair.", null, "invalid_value");
        }
    }

    private static RefusedRequestException Refused(string detail, string? param, string? code = null) =>
        RefusedRequestException.Invalid(detail, param, code);
}
