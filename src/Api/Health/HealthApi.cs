using LlmQueue.Api.Access;
using LlmQueue.Api.Wire;
using LlmQueue.Storage.Queue;

namespace LlmQueue.Api.Health;

/// <summary>How the process and the queue are doing.</summary>
public static class HealthApi
{
    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/health/live", () => TypedResults.Ok(new HealthAnswer("live", []))).WithMetadata(new OpenToEverybody());
        routes.MapGet("/health/ready", Ready).WithMetadata(new OpenToEverybody());
        routes.MapGet("/v1/queue", async (QueueViews views, Patience patience, CancellationToken aborted) => TypedResults.Ok(await patience.Read(views.Read, aborted)));
    }

    private static async Task<IResult> Ready(Readiness readiness, CancellationToken aborted)
    {
        var missing = await readiness.WhatIsMissing(aborted);
        return missing.Count == 0
            ? TypedResults.Ok(new HealthAnswer("ready", missing))
            : TypedResults.Json(new HealthAnswer("not ready", missing), statusCode: StatusCodes.Status503ServiceUnavailable);
    }

    private sealed record HealthAnswer(string Status, IReadOnlyList<string> Missing);
}
