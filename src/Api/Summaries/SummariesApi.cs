using System.Text.Json;
using LlmQueue.Api.Access;
using LlmQueue.Api.Tasks;
using LlmQueue.Api.Wire;
using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Api.Summaries;

/// <summary>The endpoints of page summaries: submit, follow, read, cancel.</summary>
public static class SummariesApi
{
    public static void MapSummaries(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/summaries", Post);
        routes.MapGet("/v1/summaries/{id}", Get);
        routes.MapGet("/v1/summaries/{id}/progress", GetProgress);
        routes.MapDelete("/v1/summaries/{id}", Cancel);
    }

    /// <summary>
    /// Answers once the pages are durable. An id that is known already is answered with its present state, and changes nothing.
    /// </summary>
    private static async Task<IResult> Post(
        HttpContext context, ModelChecks models, PageFetch fetch, SummaryViews views, Submissions submissions, RequestKeys keys,
        DatabaseRetry database, TimeProvider clock, CancellationToken cancellationToken)
    {
        var (caller, key) = (context.Caller(), IdempotencyKey.Of(context, "summary", context.Caller().Tenant));
        using var body = await JsonBody.Read(context.Request, cancellationToken);
        var request = Fields.Read<SummarizePages>(body.RootElement);
        var id = request.Id is { } given && given != Guid.Empty ? given : key.NewId(0, clock);
        if (request.Id == id && DeterministicId.IsDerived(id) && !caller.SeesAll)
            throw new ProblemException(Problem.DerivedId(id));
        // Asked before anything is fetched: who asks twice has its pages fetched once.
        var known = await database.Read(ct => views.Known(id, ct), cancellationToken);
        var taken = known is null
            ? await Take(request, id, body.RootElement, caller.Tenant, models, fetch, clock, cancellationToken)
            : null;
        await key.Hold(keys, database, cancellationToken);
        if (taken is not null)
        {
            var isNew = false;
            await database.Write(async ct => isNew = await submissions.Submit(taken, ct), [id], cancellationToken);
            // Not new after all: the same request came twice at once.
            known = isNew ? null : await database.Read(ct => views.Known(id, ct), cancellationToken);
        }

        if (known is not null && known.Tenant != caller.Tenant)
            throw new ProblemException(Problem.IdTaken(id));
        var answer = Accepted.Summary(id, known?.State ?? SummaryStates.Submitted);
        return TypedResults.Accepted(answer.Links.Self, answer);
    }

    private static async Task<IResult> Get(
        string id, HttpContext context, SummaryViews views, DatabaseRetry database, CancellationToken cancellationToken) =>
        await Owned(id, context, views, database, cancellationToken) is { } guid
            && await database.Read(ct => views.Read(guid, ct), cancellationToken) is { } summary
            ? TypedResults.Ok(summary)
            : Problem.NoSuch("summary").Result();

    /// <summary>The same without the pages and the texts: for those who look twice a second.</summary>
    private static async Task<IResult> GetProgress(
        string id, HttpContext context, SummaryViews views, DatabaseRetry database, CancellationToken cancellationToken) =>
        await Owned(id, context, views, database, cancellationToken) is { } guid
            && await database.Read(ct => views.ReadProgress(guid, ct), cancellationToken) is { } progress
            ? TypedResults.Ok(progress)
            : Problem.NoSuch("summary").Result();

    private static async Task<IResult> Cancel(
        string id, HttpContext context, SummaryViews views, Cancellations cancellations, DatabaseRetry database,
        CancellationToken cancellationToken)
    {
        if (!Guid.TryParse(id, out var guid)
            || await database.Read(ct => views.Known(guid, ct), cancellationToken) is not { } known
            || !context.Caller().MaySee(known.Tenant))
            return Problem.NoSuch("summary").Result();
        if (SummaryStates.Ends.Contains(known.State))
            return Problem.Ended("summary", known.State).Result();
        await database.Read(ct => cancellations.Summary(guid, ct), cancellationToken);
        return TypedResults.Accepted((string?)null, Accepted.Summary(guid, known.State));
    }

    /// <summary>The id, when it is one and its summary is the caller's to see.</summary>
    private static async Task<Guid?> Owned(
        string id, HttpContext context, SummaryViews views, DatabaseRetry database, CancellationToken cancellationToken) =>
        Guid.TryParse(id, out var guid)
            && await database.Read(ct => views.Known(guid, ct), cancellationToken) is { } known
            && context.Caller().MaySee(known.Tenant)
            ? guid
            : null;

    private static async Task<AcceptedSummary> Take(
        SummarizePages request, Guid id, JsonElement root, string tenant, ModelChecks models, PageFetch fetch, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        IReadOnlyDictionary<int, string>? wrong = null;
        if (request.Pages?.Count(page => page?.Url is not null) is var addresses and > 0)
        {
            if (addresses > PageFetch.MostPages)
                throw new ProblemException(Problem.Refused($"{addresses:N0} pages are given by their address; "
                    + $"at most {PageFetch.MostPages} are fetched at once. Hand them in as several summaries, or send their texts."));
            (var pages, wrong) = await fetch.Fill(request.Pages, cancellationToken);
            request = request with { Pages = pages };
        }

        try
        {
            var taken = SummaryIntake.Read(request, id, tenant, clock.GetUtcNow().UtcDateTime, wrong);
            var refusal = taken.Refusal ?? models.WhyUnknown(request.Model);
            return refusal is null ? taken : throw new ProblemException(Problem.Refused(refusal));
        }
        catch (UnreadableMessageException nothing)
        {
            throw new ProblemException(Problem.Refused(nothing.Message + TaskReader.Misspelt(root, ["pages"])));
        }
    }
}
