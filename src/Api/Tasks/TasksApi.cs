using System.Text.Json;
using LlmQueue.Api.Access;
using LlmQueue.Api.Wire;
using LlmQueue.Catalogue;
using LlmQueue.Storage.Conversations;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Api.Tasks;

/// <summary>The task endpoints: submit, read, list, retry, cancel.</summary>
public static class TasksApi
{
    private const int MostListed = 500;
    private static readonly string[] Queries = ["state", "kind", "tenant", "after", "limit"];

    public static void MapTasks(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/tasks", Post);
        routes.MapGet("/v1/tasks", List);
        routes.MapGet("/v1/tasks/{id}", Get);
        routes.MapDelete("/v1/tasks/{id}", Cancel);
        routes.MapPost("/v1/tasks/{id}/cancel", Cancel);
        routes.MapPost("/v1/tasks/{id}/retry", Retry);
        // Whoever names a conversation may put a slash into its name.
        routes.MapGet("/v1/conversations/{**id}", GetConversation);
    }

    /// <summary>
    /// Answers once every task is durable. An id that is known already is answered with its present state, and changes nothing.
    /// </summary>
    private static async Task<IResult> Post(
        HttpContext context, TaskReader reader, TaskViews views, TaskEnds ends, Submissions submissions, RequestKeys keys,
        DatabaseRetry database, TimeProvider clock, CancellationToken cancellationToken)
    {
        var (caller, key) = (context.Caller(), IdempotencyKey.Of(context, "task", context.Caller().Tenant));
        using var body = await JsonBody.Read(context.Request, cancellationToken);
        var taken = reader.Read(body.RootElement, caller.Tenant, key, caller.SeesAll);
        await key.Hold(keys, database, cancellationToken);

        // Asked even when every id is new: where the database is away, it is better known before anything is on its way to it.
        var mayBeKnown = key.IsGiven || HasOwnIds(body.RootElement) ? taken.Select(t => t.Row.CorrelationId).Distinct().ToList() : [];
        var known = await database.Read(ct => views.Known(mayBeKnown, ct), cancellationToken);
        if (known.Values.FirstOrDefault(k => k.Tenant != caller.Tenant) is { } foreign)
            throw new ProblemException(Problem.IdTaken(foreign.Id));
        var fresh = taken.Where(t => !known.ContainsKey(t.Row.CorrelationId)).DistinctBy(t => t.Row.CorrelationId).ToList();
        if (fresh.Count > 0)
            await database.Write(ct => submissions.Submit(fresh, ct), [.. taken.Select(t => t.Row.CorrelationId)], cancellationToken);

        var answers = taken.Select(
            t => Accepted.Task(t.Row.CorrelationId, known.GetValueOrDefault(t.Row.CorrelationId)?.State ?? TaskStates.Submitted))
            .ToList();
        if (body.RootElement.ValueKind is JsonValueKind.Array)
            return TypedResults.Accepted((string?)null, answers);
        return await Awaited(answers[0].Id, context, ends, clock, cancellationToken)
            && await database.Read(ct => views.Read(answers[0].Id, ct), cancellationToken) is { } task
            ? TypedResults.Ok(task)
            : TypedResults.Accepted(answers[0].Links.Self, answers[0]);
    }

    /// <summary>True when the caller would wait (Prefer: wait=10) and the task has ended in that time.</summary>
    private static async Task<bool> Awaited(
        Guid id, HttpContext context, TaskEnds ends, TimeProvider clock, CancellationToken cancellationToken)
    {
        if (Prefer.Wait(context) is not { } wait || wait == TimeSpan.Zero)
            return false;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var ended = ends.Of(id, limit.Token);
        try
        {
            await ended.WaitAsync(wait, clock, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            await limit.CancelAsync();
            await ended.ContinueWith(_ => { }, TaskScheduler.Default);
            return false;
        }
    }

    /// <summary>The same work as a task of its own; asked twice, the second answer is the first.</summary>
    private static async Task<IResult> Retry(
        string id, HttpContext context, TaskViews views, Retries retries, Submissions submissions, DatabaseRetry database,
        CancellationToken cancellationToken)
    {
        var known = Guid.TryParse(id, out var guid)
            ? (await database.Read(ct => views.Known([guid], ct), cancellationToken)).GetValueOrDefault(guid)
            : null;
        if (known is null || !context.Caller().MaySee(known.Tenant))
            return Problem.NoSuch("task").Result();
        if (!TaskStates.Ends.Contains(known.State))
            return new Problem(StatusCodes.Status409Conflict, "not-ended", "The task has not ended",
                $"The task is '{known.State}' and moves by itself; only one that has ended can be retried. Cancel it first.")
                .Result();
        if (await database.Read(ct => retries.Of(guid, ct), cancellationToken) is not { } again)
            return new Problem(StatusCodes.Status409Conflict, "no-prompt", "The task has no prompt",
                "The task was refused before its prompt was kept, so there is nothing to try again; hand it in anew.")
                .Result();
        var newId = again.Row.CorrelationId;
        var twice = (await database.Read(ct => views.Known([newId], ct), cancellationToken)).GetValueOrDefault(newId);
        if (twice is null)
            await database.Write(ct => submissions.Submit([again], ct), [newId], cancellationToken);
        var answer = Accepted.Task(newId, twice?.State ?? TaskStates.Submitted);
        return TypedResults.Accepted(answer.Links.Self, answer);
    }

    private static async Task<IResult> Get(
        string id, HttpContext context, TaskViews views, DatabaseRetry database, CancellationToken cancellationToken) =>
        Guid.TryParse(id, out var guid)
            && await database.Read(ct => views.Read(guid, context.Caller().Scope, ct), cancellationToken) is { } task
            ? TypedResults.Ok(task)
            : Problem.NoSuch("task").Result();

    private static async Task<IResult> List(
        HttpContext context, TaskViews views, DatabaseRetry database, CancellationToken cancellationToken)
    {
        var filter = Filter(context.Request.Query, context.Caller());
        return TypedResults.Ok(await database.Read(ct => views.List(filter, ct), cancellationToken));
    }

    /// <summary>The caller's own: another tenant's of the same name is another conversation.</summary>
    private static async Task<IResult> GetConversation(
        string id, HttpContext context, ConversationViews views, DatabaseRetry database, CancellationToken cancellationToken) =>
        await database.Read(ct => views.Read(context.Caller().Tenant, id.Replace("\0", "", StringComparison.Ordinal), ct),
            cancellationToken) is { } conversation
            ? TypedResults.Ok(conversation)
            : Problem.NoSuch("conversation").Result();

    /// <summary>Asks for the end; the task's own state machine decides what that means for a call that is on its way.</summary>
    private static async Task<IResult> Cancel(
        string id, HttpContext context, TaskViews views, Cancellations cancellations, DatabaseRetry database,
        CancellationToken cancellationToken)
    {
        var known = Guid.TryParse(id, out var guid)
            ? (await database.Read(ct => views.Known([guid], ct), cancellationToken)).GetValueOrDefault(guid)
            : null;
        if (known is null || !context.Caller().MaySee(known.Tenant))
            return Problem.NoSuch("task").Result();
        if (TaskStates.Ends.Contains(known.State))
            return Problem.Ended("task", known.State).Result();
        await database.Read(ct => cancellations.Task(guid, ct), cancellationToken);
        return TypedResults.Accepted((string?)null, Accepted.Task(guid, known.State));
    }

    private static TaskFilter Filter(IQueryCollection query, Caller caller)
    {
        if (query.Keys.FirstOrDefault(k => !Queries.Contains(k, StringComparer.OrdinalIgnoreCase)) is { } unknown)
            throw Refused($"The query has '{unknown}'; expected {string.Join(", ", Queries)}{NearestName.Question(unknown, Queries)}");
        var (state, tenant) = (Text(query, "state"), Text(query, "tenant"));
        var known = state is null ? null : TaskStates.All.FirstOrDefault(s => s.Equals(state, StringComparison.OrdinalIgnoreCase));
        if (state is not null && known is null)
            throw Refused($"The state '{state}' is unknown; expected one of "
                + $"{string.Join(", ", TaskStates.All)}{NearestName.Question(state, TaskStates.All)}");
        if (tenant is not null && !caller.MaySee(tenant))
            throw new ProblemException(new Problem(StatusCodes.Status403Forbidden, "forbidden", "The tasks are another tenant's",
                $"The token is of '{caller.Tenant}' and may not list the tasks of '{tenant}'."));
        Guid? after = Text(query, "after") is not { } last ? null
            : Guid.TryParse(last, out var id) ? id : throw Refused($"'after' is '{last}'; expected 'next' of the page before.");
        var limit = Text(query, "limit") is not { } text ? 50
            : int.TryParse(text, out var number) && number is >= 1 and <= MostListed ? number
            : throw Refused($"'limit' is '{text}'; expected 1 to {MostListed}.");
        return new TaskFilter
        {
            State = known, Kind = Text(query, "kind")?.ToLowerInvariant(), Tenant = tenant ?? (caller.SeesAll ? null : caller.Tenant),
            After = after, Limit = limit,
        };
    }

    private static ProblemException Refused(string detail) =>
        new(Problem.Refused(detail.EndsWith('?') || detail.EndsWith('.') ? detail : detail + "."));

    private static string? Text(IQueryCollection query, string name) =>
        query[name].ToString() is { Length: > 0 } text ? text.Replace("\0", "", StringComparison.Ordinal) : null;

    private static bool HasOwnIds(JsonElement root) =>
        root.ValueKind is JsonValueKind.Array ? root.EnumerateArray().Any(HasOwnId) : HasOwnId(root);

    private static bool HasOwnId(JsonElement element) =>
        Fields.Names(element).Any(name => name.Equals("id", StringComparison.OrdinalIgnoreCase));
}
