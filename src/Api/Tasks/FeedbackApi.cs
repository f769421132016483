using LlmQueue.Api.Access;
using LlmQueue.Api.Wire;
using LlmQueue.Storage;
using LlmQueue.Storage.Rankings;
using LlmQueue.Storage.Tasks;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Api.Tasks;

/// <summary>
/// The endpoints of feedback and ranking: POST /v1/tasks/{id}/feedback with {"score": 0.8, "comment": "…"}, and GET /v1/ranking, which
/// shows what the queue has learned of its models from feedback and from their runs.
/// </summary>
public static class FeedbackApi
{
    private const int LongestComment = 10_000;

    public static void MapFeedback(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/tasks/{id}/feedback", Post);
        routes.MapGet(
            "/v1/ranking", async (HttpContext context, RankingViews views, DatabaseRetry database, CancellationToken cancellationToken) =>
            TypedResults.Ok(await database.Read(ct => views.Read(context.Caller().Scope, ct), cancellationToken)));
    }

    /// <summary>Kept once it is answered. Said again it changes nothing; another score takes the place of the former.</summary>
    private static async Task<IResult> Post(
        string id, HttpContext context, FeedbackGiven given, RankingRepository book, IDbContextFactory<QueueDb> contexts,
        TimeProvider clock, DatabaseRetry database, CancellationToken cancellationToken)
    {
        var task = Guid.TryParse(id, out var guid)
            ? await database.Read(ct => Find(contexts, guid, context.Caller().Scope, ct), cancellationToken)
            : null;
        if (task is null)
            return Problem.NoSuch("task").Result();
        if (given.Score is not { } score || score is not (>= 0 and <= 1))
            throw new ProblemException(Problem.Refused(
                $"'score' is {given.Score?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "missing"}; "
                    + "expected a number from 0 (useless) to 1 (perfect)."));
        if (given.Comment?.Length > LongestComment)
            throw new ProblemException(
                Problem.Refused($"'comment' has {given.Comment.Length:N0} characters; at most {LongestComment:N0} are kept."));
        if (task.AnsweredModel is null)
            return new Problem(StatusCodes.Status409Conflict, "not-answered", "The task has no answer",
                $"The task is in the state '{task.State}' and no model has answered it; feedback is about an answer.")
                .Result();
        await database.Read(async ct =>
        {
            await book.Rate(task, score, given.Comment?.Replace("\0", "", StringComparison.Ordinal), clock.GetUtcNow().UtcDateTime, ct);
            return true;
        }, cancellationToken);
        return TypedResults.Ok(new FeedbackKept(task.CorrelationId, task.AnsweredModel, score));
    }

    private static async Task<TaskRow?> Find(
        IDbContextFactory<QueueDb> contexts, Guid id, string? tenant, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await db.Tasks.AsNoTracking()
            .FirstOrDefaultAsync(t => t.CorrelationId == id && (tenant == null || t.Tenant == tenant), cancellationToken);
    }

    /// <summary>The body of a feedback request.</summary>
    /// <param name="Score">0 (useless) to 1 (perfect).</param>
    /// <param name="Comment">In words; kept, read by nobody but people.</param>
    private sealed record FeedbackGiven(double? Score, string? Comment);

    private sealed record FeedbackKept(Guid TaskId, string Model, double Score);
}
