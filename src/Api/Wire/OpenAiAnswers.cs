using LlmQueue.OpenAi;

namespace LlmQueue.Api.Wire;

/// <summary>Answers and problems at the addresses that OpenAI's clients call; everywhere else problems are problem details.</summary>
public static class OpenAiAnswers
{
    private static readonly PathString[] Addresses = ["/v1/files", "/v1/batches", "/v1/chat", "/v1/models"];

    public static bool AreExpected(PathString path) => Array.Exists(Addresses, address => path.StartsWithSegments(address, StringComparison.OrdinalIgnoreCase));

    public static IResult Ok<T>(T answer) => TypedResults.Json(answer, OpenAiFormat.Json);

    public static IResult Of(Problem problem) => TypedResults.Json(new { error = ErrorOf(problem) }, OpenAiFormat.Json, statusCode: problem.Status);

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
