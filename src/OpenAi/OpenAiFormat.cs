using System.Text.Encodings.Web;
using System.Text.Json;

namespace LlmQueue.OpenAi;

/// <summary>
/// The format of OpenAI's API: snake_case, prefixed ids, seconds since 1970. The API answers in it, and the worker writes it into a batch's
/// files.
/// </summary>
public static class OpenAiFormat
{
    public const string FilePrefix = "file-", BatchPrefix = "batch_", ChatPrefix = "chatcmpl-";

    public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static string Id(string prefix, Guid id) => $"{prefix}{id:N}";

    public static bool TryId(string prefix, string? text, out Guid id)
    {
        id = Guid.Empty;
        return text is not null
            && text.StartsWith(prefix, StringComparison.Ordinal)
            && Guid.TryParseExact(text[prefix.Length..], "N", out id);
    }

    public static long Seconds(DateTime at) => new DateTimeOffset(at, TimeSpan.Zero).ToUnixTimeSeconds();

    public static long? Seconds(DateTime? at) => at is { } time ? Seconds(time) : null;
}

/// <summary>The error object of OpenAI's API: all four members are always there.</summary>
public sealed record OpenAiError(string Message, string Type, string? Param, string? Code)
{
    public string ToJson() => JsonSerializer.Serialize(this, OpenAiFormat.Json);
}

/// <summary>The request is refused: over HTTP this is the status and error of the answer, in a batch its line of the error file.</summary>
public sealed class RefusedRequestException(int status, OpenAiError error) : Exception(error.Message)
{
    private const string InvalidRequest = "invalid_request_error";

    /// <summary>What it is answered with over HTTP: 400 or 404.</summary>
    public int Status => status;

    public OpenAiError Error => error;

    public static RefusedRequestException Invalid(string message, string? param, string? code = null) =>
        new(400, new OpenAiError(message.EndsWith('.') || message.EndsWith('?') ? message : message + ".", InvalidRequest, param, code));

    public static RefusedRequestException NoSuchModel(string message) =>
        new(404, new OpenAiError(message, InvalidRequest, "model", "model_not_found"));
}
