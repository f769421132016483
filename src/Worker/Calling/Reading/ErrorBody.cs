using System.Text;
using System.Text.Json;

namespace LlmQueue.Worker.Calling.Reading;

/// <summary>
/// The envelope of an error, whoever wrote it. Groq, OpenAI, Anthropic and OpenRouter: an object; Gemini: an array of one; Mistral: flat;
/// some: a string, or no JSON. What the words in it mean is said by the providers.
/// </summary>
public sealed record ErrorBody
{
    /// <summary>The body as text.</summary>
    public required string Text { get; init; }

    public string? Message { get; init; }
    public string? Code { get; init; }
    public string? Type { get; init; }

    /// <summary>OpenRouter: <c>metadata.reason</c>, else <c>metadata.error_type</c>.</summary>
    public string? Reason { get; init; }

    /// <summary>The parameter the provider objects to.</summary>
    public string? Parameter { get; init; }

    /// <summary>Headers that came in the body instead (OpenRouter: <c>metadata.headers</c>).</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>Google's <c>QuotaFailure</c>: which quotas are used up, and what each allows.</summary>
    public IReadOnlyList<(string Id, double? Value)> Quotas { get; init; } = [];

    /// <summary>Google's <c>RetryInfo.retryDelay</c>.</summary>
    public string? RetryDelay { get; init; }

    /// <summary>True when the code, the type or the reason has one of these in it.</summary>
    public bool Names(params ReadOnlySpan<string> codes)
    {
        foreach (var code in codes)
            if (Has(Code, code) || Has(Type, code) || Has(Reason, code))
                return true;
        return false;
    }

    /// <summary>True when the message has one of these in it; the whole body where it has no message.</summary>
    public bool Says(params ReadOnlySpan<string> phrases)
    {
        foreach (var phrase in phrases)
            if (Has(Message ?? Text, phrase))
                return true;
        return false;
    }

    public static ErrorBody Read(ReadOnlyMemory<byte> body)
    {
        var text = Encoding.UTF8.GetString(body.Span);
        try
        {
            using var document = JsonDocument.Parse(body);
            return Read(document.RootElement, text);
        }
        catch (JsonException)
        {
            // Not JSON: the text is the message.
            return new ErrorBody { Text = text };
        }
    }

    private static ErrorBody Read(JsonElement root, string text)
    {
        if (root.ValueKind == JsonValueKind.Array && root.GetArrayLength() > 0)
            root = root[0];
        if (root.ValueKind != JsonValueKind.Object)
            return new ErrorBody { Text = text };
        var error = root.TryGetProperty("error", out var inner) ? inner : root;
        if (error.ValueKind != JsonValueKind.Object)
            return new ErrorBody { Text = text, Message = error.ToString() };

        var metadata = Part(error, "metadata");
        var (quotas, delay) = Google(error);
        return new ErrorBody
        {
            Text = text,
            Message = WithUpstreamsWords(Word(error, "message"), Word(metadata, "raw")),
            // Google writes the status once more as "code"; its "status" is the word.
            Code = Word(error, "status") ?? Word(error, "code"),
            Type = Word(error, "type"),
            Reason = Word(metadata, "reason") ?? Word(metadata, "error_type"),
            Parameter = Word(error, "param"),
            Headers = HeadersOf(Part(metadata, "headers")),
            Quotas = quotas,
            RetryDelay = delay,
        };
    }

    /// <summary>OpenRouter says "Provider returned error"; what that provider said is beside it.</summary>
    private static string? WithUpstreamsWords(string? message, string? raw) =>
        raw is null || message?.Contains("Provider returned error", StringComparison.OrdinalIgnoreCase) != true
            ? message
            : $"{message}: {raw}";

    private static Dictionary<string, string> HeadersOf(JsonElement headers)
    {
        var found = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        if (headers.ValueKind == JsonValueKind.Object)
            foreach (var header in headers.EnumerateObject())
                found[header.Name] = header.Value.ToString();
        return found;
    }

    private static (List<(string Id, double? Value)> Quotas, string? Delay) Google(JsonElement error)
    {
        var quotas = new List<(string Id, double? Value)>();
        string? delay = null;
        foreach (var detail in Items(error, "details"))
        {
            delay ??= Word(detail, "retryDelay");
            foreach (var violation in Items(detail, "violations"))
                if (Word(violation, "quotaId") is { } id)
                    quotas.Add((id, WireValue.Number(Word(violation, "quotaValue"))));
        }

        return (quotas, delay);
    }

    internal static string? Word(JsonElement element, string name) =>
        Part(element, name) is { ValueKind: JsonValueKind.String or JsonValueKind.Number } value ? value.ToString() : null;

    private static JsonElement Part(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) ? value : default;

    private static IEnumerable<JsonElement> Items(JsonElement element, string name) =>
        Part(element, name) is { ValueKind: JsonValueKind.Array } list ? list.EnumerateArray() : [];

    private static bool Has(string? text, string word) => text?.Contains(word, StringComparison.OrdinalIgnoreCase) == true;
}
