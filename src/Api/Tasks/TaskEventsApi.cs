using System.Text.Json;
using LlmQueue.Api.Access;
using LlmQueue.Api.Wire;
using LlmQueue.Storage.Tasks;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.Options;

namespace LlmQueue.Api.Tasks;

/// <summary>
/// The event stream of a task, GET /v1/tasks/{id}/events: its history as server-sent events, from the beginning (or after Last-Event-ID) to
/// the end.
/// </summary>
public static class TaskEventsApi
{
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(250), BetweenSigns = TimeSpan.FromSeconds(10);

    public static void MapTaskEvents(this IEndpointRouteBuilder routes) => routes.MapGet("/v1/tasks/{id}/events", Send);

    private static async Task<IResult> Send(
        string id, HttpContext context, TaskViews views, TaskLife life, OpenStreams streams, DatabaseRetry database,
        IOptions<JsonOptions> json,
        TimeProvider clock, CancellationToken cancellationToken)
    {
        if (!Guid.TryParse(id, out var guid)
            || (await database.Read(ct => views.Known([guid], ct), cancellationToken)).GetValueOrDefault(guid) is not { } known
            || !context.Caller().MaySee(known.Tenant))
            return Problem.NoSuch("task").Result();
        using var stream = streams.Open(context.Caller().Tenant);
        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-cache";
        context.Response.Headers["X-Accel-Buffering"] = "no";
        var place = long.TryParse(context.Request.Headers["Last-Event-ID"], out var last) && last > 0 ? last : 0;
        for (var spoke = clock.GetTimestamp(); ;)
        {
            var (moments, ended) = await database.Read(ct => life.After(guid, place, ct), cancellationToken);
            foreach (var moment in moments)
            {
                place = moment.Place;
                await context.Response.WriteAsync(
                    $"id: {place}\nevent: {moment.Entry.Entry}\ndata: "
                        + $"{JsonSerializer.Serialize(moment.Entry, json.Value.SerializerOptions)}\n\n",
                    cancellationToken);
            }

            if (ended)
            {
                // A client that would connect again by itself is told that there is nothing to come.
                await context.Response.WriteAsync("event: end\ndata: {}\n\n", cancellationToken);
                return Results.Empty;
            }

            if (moments.Count > 0 || clock.GetElapsedTime(spoke) > BetweenSigns)
            {
                if (moments.Count == 0)
                    await context.Response.WriteAsync(": nothing new\n\n", cancellationToken);
                await context.Response.Body.FlushAsync(cancellationToken);
                spoke = clock.GetTimestamp();
            }

            await Task.Delay(BetweenLooks, clock, cancellationToken);
        }
    }
}
