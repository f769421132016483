using LlmQueue.Api.Wire;
using LlmQueue.Storage.Queue;

namespace LlmQueue.Api.Queue;

/// <summary>The queue endpoint, GET /v1/queue: what waits, what is limited and what was spent.</summary>
public static class QueueApi
{
    public static void MapQueue(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/v1/queue", async (QueueViews views, DatabaseRetry database, CancellationToken cancellationToken) =>
            TypedResults.Ok(await database.Read(views.Read, cancellationToken)));
}
