using LlmQueue.Api.Access;
using LlmQueue.Api.Wire;
using LlmQueue.Catalogue;
using LlmQueue.Hosting.Http;
using LlmQueue.OpenAi;
using LlmQueue.Storage.Loops;
using LlmQueue.Storage.Webhooks;

namespace LlmQueue.Api.Webhooks;

/// <summary>The endpoints of webhook deliveries: list, read with every try, replay.</summary>
public static class WebhooksApi
{
    private const int MostListed = 500;
    private static readonly string[] Queries = ["state", "task", "batch", "after", "limit"];

    public static void MapWebhooks(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/webhooks", List);
        routes.MapGet("/v1/webhooks/{id}", async (
            string id, HttpContext context, WebhookViews views, DatabaseRetry database, CancellationToken cancellationToken) =>
            TypedResults.Ok(await Find(id, context, views, database, cancellationToken)));
        routes.MapPost("/v1/webhooks/{id}/replay", Replay);
    }

    private static async Task<IResult> List(
        HttpContext context, WebhookViews views, DatabaseRetry database, CancellationToken cancellationToken)
    {
        var filter = Filter(context.Request.Query, context.Caller());
        return TypedResults.Ok(await database.Read(ct => views.List(filter, ct), cancellationToken));
    }

    /// <summary>Delivers again at once under the same id, whatever came of it before, and tries for as long as at first.</summary>
    private static async Task<IResult> Replay(string id, HttpContext context, WebhookViews views, WebhookRepository book,
        Signal<WebhookRow> webhookDue, WebhookChecks checks, DatabaseRetry database, CancellationToken cancellationToken)
    {
        var known = await Find(id, context, views, database, cancellationToken);
        if (checks.WhyNot(known.Url, known.Tenant) is { } why)
            throw new ProblemException(new Problem(StatusCodes.Status409Conflict, "not-deliverable", "The webhook cannot be called", why));
        if (!await database.Read(ct => book.Replay(known.Id, ct), cancellationToken))
            throw new ProblemException(new Problem(StatusCodes.Status409Conflict, "in-progress", "The webhook is being called",
                "A worker is calling this address now; ask again when it has its result.") { RetryAfter = 2 });
        webhookDue.Set();
        return TypedResults.Accepted($"/v1/webhooks/{known.Id}", await Find(id, context, views, database, cancellationToken));
    }

    private static async Task<DeliveryView> Find(
        string id, HttpContext context, WebhookViews views, DatabaseRetry database, CancellationToken cancellationToken) =>
        Guid.TryParse(id, out var guid)
            && await database.Read(ct => views.Read(guid, context.Caller().Scope, ct), cancellationToken) is { } known
            ? known
            : throw new ProblemException(Problem.NoSuch("webhook"));

    private static DeliveryFilter Filter(IQueryCollection query, Caller caller)
    {
        if (query.Keys.FirstOrDefault(k => !Queries.Contains(k, StringComparer.OrdinalIgnoreCase)) is { } unknown)
            throw Refused($"The query has '{unknown}'; expected {string.Join(", ", Queries)}{NearestName.Question(unknown, Queries)}");
        var state = Text(query, "state");
        if (state is not null && !WebhookViews.States.Contains(state, StringComparer.Ordinal))
            throw Refused($"The state '{state}' is unknown; expected one of "
                + $"{string.Join(", ", WebhookViews.States)}{NearestName.Question(state, WebhookViews.States)}");
        Guid? batch = Text(query, "batch") is not { } text ? null
            : OpenAiFormat.TryId(OpenAiFormat.BatchPrefix, text, out var id) ? id
            : throw Refused($"'batch' is '{text}'; expected an id of POST /v1/batches.");
        var limit = Text(query, "limit") is not { } most ? 50
            : int.TryParse(most, out var number) && number is >= 1 and <= MostListed ? number
            : throw Refused($"'limit' is '{most}'; expected 1 to {MostListed}.");
        return new DeliveryFilter(caller.Scope, state, Id(query, "task"), batch, Id(query, "after"), limit);
    }

    private static Guid? Id(IQueryCollection query, string name) =>
        Text(query, name) is not { } text ? null
            : Guid.TryParse(text, out var id) ? id : throw Refused($"'{name}' is '{text}'; expected a UUID.");

    private static string? Text(IQueryCollection query, string name) =>
        query[name].ToString() is { Length: > 0 } text ? text.Replace("\0", "", StringComparison.Ordinal) : null;

    private static ProblemException Refused(string detail) =>
        new(Problem.Refused(detail.EndsWith('?') || detail.EndsWith('.') ? detail : detail + "."));
}
