using System.Text.Encodings.Web;
using System.Text.Json;

namespace LlmQueue.Api.Wire;

/// <summary>The dialect of OpenAI's clients: snake_case, prefixed ids, seconds since 1970.</summary>
public static class OpenAi
{
    public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public const string FilePrefix = "file-", BatchPrefix = "batch_", ChatPrefix = "chatcmpl-";

    public static string Id(string prefix, Guid id) => $"{prefix}{id:N}";

    public static bool TryId(string prefix, string? text, out Guid id)
    {
        id = Guid.Empty;
        return text is not null && text.StartsWith(prefix, StringComparison.Ordinal) && Guid.TryParseExact(text[prefix.Length..], "N", out id);
    }

    public static long Seconds(DateTime at) => new DateTimeOffset(at, TimeSpan.Zero).ToUnixTimeSeconds();

    public static long? Seconds(DateTime? at) => at is { } time ? Seconds(time) : null;

    public static IResult Ok<T>(T answer) => TypedResults.Json(answer, Json);
}

/// <summary>What went wrong, as OpenAI's clients read it: all four members are always there.</summary>
public sealed record OpenAiError(string Message, string Type, string? Param, string? Code)
{
    public string ToJson() => JsonSerializer.Serialize(this, OpenAi.Json);
}

/// <summary>Problems at the addresses that OpenAI's clients call; everywhere else they are problem details.</summary>
public static class OpenAiErrors
{
    private static readonly PathString[] Addresses = ["/v1/files", "/v1/batches", "/v1/chat", "/v1/models"];

    public static bool AreExpected(PathString path) => Array.Exists(Addresses, address => path.StartsWithSegments(address, StringComparison.OrdinalIgnoreCase));

    public static IResult Of(Problem problem) => TypedResults.Json(new { error = ErrorOf(problem) }, OpenAi.Json, statusCode: problem.Status);

    public static OpenAiError ErrorOf(Problem problem) => new(problem.Detail, TypeOf(problem.Status), problem.Param, problem.Code ?? CodeOf(problem));

    private static string TypeOf(int status) => status switch
    {
        StatusCodes.Status401Unauthorized => "authentication_error",
        StatusCodes.Status403Forbidden => "permission_error",
        StatusCodes.Status429TooManyRequests => "rate_limit_error",
        >= 500 => "server_error",
        _ => "invalid_request_error",
    };

    private static string? CodeOf(Problem problem) => problem.Status switch
    {
        StatusCodes.Status401Unauthorized => "invalid_api_key",
        StatusCodes.Status429TooManyRequests => "rate_limit_exceeded",
        _ => problem.Type is "refused" ? null : problem.Type.Replace('-', '_'),
    };
}
