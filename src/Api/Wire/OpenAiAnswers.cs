using LlmQueue.OpenAi;
using Microsoft.AspNetCore.Routing.Patterns;

namespace LlmQueue.Api.Wire;

/// <summary>Marks the endpoints that OpenAI's clients call: their problems are OpenAI's error object, not problem details.</summary>
public sealed class OpenAiErrors;

/// <summary>
/// The format of answers at the endpoints of OpenAI's API: problems are OpenAI's error object; everywhere else problems are problem
/// details.
/// </summary>
public static class OpenAiAnswers
{
    public static RouteGroupBuilder WithOpenAiErrors(this RouteGroupBuilder group) => group.WithMetadata(new OpenAiErrors());

    /// <summary>
    /// Whether the caller understands OpenAI's error object: its endpoint says so or, where there is none, an endpoint of the same family
    /// does (/v1/chat/… for /v1/chat/completions).
    /// </summary>
    public static bool AreExpected(HttpContext context) =>
        context.GetEndpoint() is RouteEndpoint known
            ? IsMarked(known)
            : RouteAddresses.Of(context).Any(endpoint => IsMarked(endpoint)
                && context.Request.Path.StartsWithSegments(RouteAddresses.Family(endpoint), StringComparison.OrdinalIgnoreCase));

    public static bool IsMarked(Endpoint endpoint) => endpoint.Metadata.GetMetadata<OpenAiErrors>() is not null;

    public static IResult Ok<T>(T answer) => TypedResults.Json(answer, OpenAiFormat.Json);

    public static IResult Of(Problem problem) =>
        TypedResults.Json(new { error = ErrorOf(problem) }, OpenAiFormat.Json, statusCode: problem.Status);

    public static OpenAiError ErrorOf(Problem problem) =>
        new(problem.Detail, TypeOf(problem.Status), problem.Param, problem.Code ?? CodeOf(problem));

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

/// <summary>The routes of the API, as its slices have mapped them.</summary>
internal static class RouteAddresses
{
    public static IEnumerable<RouteEndpoint> Of(HttpContext context) =>
        context.RequestServices.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>();

    /// <summary>The beginning that all addresses of a family share: /v1/chat of /v1/chat/completions/{id}.</summary>
    public static PathString Family(RouteEndpoint endpoint) => Join(Literals(endpoint).Take(2));

    /// <summary>The address up to its first parameter: /v1/chat/completions of /v1/chat/completions/{id}.</summary>
    public static string Root(RouteEndpoint endpoint) => Join(Literals(endpoint));

    private static IEnumerable<string> Literals(RouteEndpoint endpoint) =>
        endpoint.RoutePattern.PathSegments.Select(segment => segment.Parts is [RoutePatternLiteralPart literal] ? literal.Content : null)
            .TakeWhile(text => text is not null)!;

    private static string Join(IEnumerable<string> segments) => string.Concat(segments.Select(segment => $"/{segment}"));
}
