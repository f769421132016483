using System.Text.Json;
using LlmQueue.Api.Wire;
using LlmQueue.Catalogue;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Api.Batches;

/// <summary>The request body of POST /v1/batches.</summary>
public sealed record BatchRequest
{
    private const int MostLabels = 16, LongestKey = 64, LongestValue = 512, MostInline = 50_000;
    private static readonly TimeSpan Shortest = TimeSpan.FromMinutes(30), Longest = TimeSpan.FromDays(7);
    private static readonly string[] Known =
        ["input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after", "requests", "webhook_url"];

    public required string Endpoint { get; init; }

    /// <summary>As it was said, and as a length.</summary>
    public required string Window { get; init; }
    public required TimeSpan Length { get; init; }

    /// <summary>Null where the requests stand in the body.</summary>
    public string? InputFileId { get; init; }
    public JsonElement? Requests { get; init; }

    /// <summary>JSON.</summary>
    public string? Metadata { get; init; }
    public long? OutputSeconds { get; init; }

    /// <summary>Who is told when the batch has ended; its address is checked by whoever knows the tenant.</summary>
    public string? WebhookUrl { get; init; }

    /// <exception cref="ProblemException">400: a field is wrong.</exception>
    public static BatchRequest Read(JsonElement body)
    {
        if (body.ValueKind is not JsonValueKind.Object)
            throw Refused("The body is not an object; expected {\"input_file_id\": …, \"endpoint\": …, \"completion_window\": …}.", null);
        if (Fields.Names(body).FirstOrDefault(n => !Known.Contains(n, StringComparer.Ordinal)) is { } unknown)
            throw Refused($"Unrecognized request argument supplied: {unknown}{NearestName.Question(unknown, Known)}", unknown,
                "unknown_parameter");
        var requests = Field(body, "requests");
        var file = requests is null || Field(body, "input_file_id") is not null ? Text(body, "input_file_id") : null;
        if (requests is not null && file is not null)
            throw Refused("The body has both 'input_file_id' and 'requests'; expected one of them.", "requests");
        if (requests is { } inline && (inline.ValueKind is not JsonValueKind.Array || inline.GetArrayLength() is 0 or > MostInline))
            throw Refused($"'requests' is not a list of 1 to {MostInline:N0} requests.", "requests");
        var endpoint = Text(body, "endpoint");
        if (endpoint != "/v1/chat/completions")
            throw Refused($"'endpoint' is '{endpoint}'; expected '/v1/chat/completions', the only one that is served.", "endpoint");
        var window = Text(body, "completion_window");
        return new BatchRequest
        {
            Endpoint = endpoint, Window = window, InputFileId = file, Requests = requests, Metadata = Labels(body),
            OutputSeconds = OutputKept(body), WebhookUrl = Field(body, "webhook_url") is null ? null : Text(body, "webhook_url"),
            Length = LengthOf(window)
                ?? throw Refused($"'completion_window' is '{window}'; expected '24h', or any time from '30m' to '7d' in m, h or d.",
                    "completion_window"),
        };
    }

    /// <summary>Null when it is none, or not from 30 minutes to 7 days.</summary>
    public static TimeSpan? LengthOf(string window)
    {
        if (window.Length is < 2 or > 6
            || !int.TryParse(window.AsSpan(0, window.Length - 1), System.Globalization.NumberStyles.None, null, out var number))
            return null;
        TimeSpan? length = window[^1] switch
        {
            'm' => TimeSpan.FromMinutes(number),
            'h' => TimeSpan.FromHours(number),
            'd' => TimeSpan.FromDays(number),
            _ => null,
        };
        return length >= Shortest && length <= Longest ? length : null;
    }

    private static string? Labels(JsonElement body)
    {
        if (Field(body, "metadata") is not { } metadata)
            return null;
        var fits = metadata.ValueKind is JsonValueKind.Object && metadata.EnumerateObject().Count() <= MostLabels
            && metadata.EnumerateObject().All(p => p.Name.Length <= LongestKey
                && p.Value.ValueKind is JsonValueKind.String
                && p.Value.GetRawText().Length <= LongestValue * 6
                && Words(p.Value, "metadata").Length <= LongestValue);
        return fits ? metadata.GetRawText()
            : throw Refused(
                $"'metadata' is not an object of at most {MostLabels} texts, "
                    + $"names up to {LongestKey} characters and values up to {LongestValue}.",
                "metadata");
    }

    private static long? OutputKept(JsonElement body)
    {
        if (Field(body, "output_expires_after") is not { } kept)
            return null;
        return kept.ValueKind is JsonValueKind.Object
            && kept.TryGetProperty("anchor", out var anchor)
            && anchor.ValueKind is JsonValueKind.String
            && anchor.ValueEquals("created_at")
            && kept.TryGetProperty("seconds", out var value)
            && value.ValueKind is JsonValueKind.Number
            && value.TryGetInt64(out var seconds)
            && seconds is >= 3600 and <= 2_592_000
            ? seconds
            : throw Refused("'output_expires_after' is not {\"anchor\": \"created_at\", \"seconds\": 3600 to 2592000}.",
                "output_expires_after");
    }

    private static string Text(JsonElement body, string name) =>
        Field(body, name) is { ValueKind: JsonValueKind.String } value && Words(value, name) is { Length: > 0 } text ? text
        : throw Refused($"Missing required parameter: '{name}'.", name, "missing_required_parameter");

    private static JsonElement? Field(JsonElement body, string name) =>
        body.TryGetProperty(name, out var value) && value.ValueKind is not JsonValueKind.Null ? value : null;

    private static string Words(JsonElement value, string name)
    {
        try
        {
            return value.GetString()!.Replace("\0", "", StringComparison.Ordinal);
        }
        catch (InvalidOperationException)
        {
            throw Refused($"'{name}' is not valid Unicode: it has half of a surrogate pair.", name);
        }
    }

    private static ProblemException Refused(string detail, string? param, string? code = "invalid_value") =>
        new(Problem.Refused(detail.EndsWith('.') || detail.EndsWith('?') ? detail : detail + ".") with { Param = param, Code = code });
}
