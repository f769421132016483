using LlmQueue.Api.Access;

namespace LlmQueue.Api.Health;

/// <summary>The health endpoints: liveness and readiness.</summary>
public static class HealthApi
{
    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/health/live", () => TypedResults.Ok(new HealthAnswer("live", []))).WithMetadata(new OpenToEverybody());
        routes.MapGet("/health/ready", Ready).WithMetadata(new OpenToEverybody());
    }

    private static async Task<IResult> Ready(Readiness readiness, CancellationToken cancellationToken)
    {
        var missing = await readiness.WhatIsMissing(cancellationToken);
        return missing.Count == 0
            ? TypedResults.Ok(new HealthAnswer("ready", missing))
            : TypedResults.Json(new HealthAnswer("not ready", missing), statusCode: StatusCodes.Status503ServiceUnavailable);
    }

    private sealed record HealthAnswer(string Status, IReadOnlyList<string> Missing);
}
