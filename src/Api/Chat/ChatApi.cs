using LlmQueue.Api.Access;
using LlmQueue.Api.Wire;
using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.OpenAi;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Api.Chat;

/// <summary>
/// The chat completions endpoint. The call is a task like any other, durable before anybody waits for it. It answers when the task has
/// ended; a call that may not wait so long returns the task's id, and the task is canceled when its client disconnects, unless its
/// Idempotency-Key says that the client may come back.
/// </summary>
public static class ChatApi
{
    /// <summary>Just less than the ten minutes after which OpenAI's clients give up.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(570);

    public static void MapChat(this IEndpointRouteBuilder routes)
    {
        var openAi = routes.MapGroup("").WithOpenAiErrors();
        openAi.MapPost("/v1/chat/completions", Post);
        openAi.MapGet("/v1/chat/completions/{id}", Get);
    }

    private static async Task<IResult> Post(
        HttpContext context, ModelChecks models, TaskViews views, TaskEnds ends, Submissions submissions, RequestKeys keys,
        Cancellations cancellations, ChatStream stream, DatabaseRetry database, TimeProvider clock, CancellationToken cancellationToken)
    {
        var (caller, key, wait) = (context.Caller(), IdempotencyKey.Of(context, "chat", context.Caller().Tenant),
            Prefer.Wait(context) ?? LongestWait);
        using var body = await JsonBody.Read(context.Request, cancellationToken);
        var request = ChatRequest.Read(body.RootElement, models, inParts: false);
        var id = key.NewId(0, clock);
        var taken = Taken(request, id, caller.Tenant, clock);
        await key.Hold(keys, database, cancellationToken);
        var known = await database.Read(ct => views.Known(key.IsGiven ? [id] : [], ct), cancellationToken);
        if (known.TryGetValue(id, out var other) && other.Tenant != caller.Tenant)
            throw new ProblemException(Problem.IdTaken(id));
        if (known.Count == 0)
            await database.Write(ct => submissions.Submit([taken], ct), [id], cancellationToken);

        try
        {
            return request.Stream
                ? await stream.Send(context, id, request.IncludeUsage, wait, cancellationToken)
                : await Ended(id, ends, wait, clock, cancellationToken) is { } result ? Answer(context, result) : HandOver(context, id);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested && !key.IsGiven)
        {
            // Nobody will read the answer.
            await database.Read(ct => cancellations.Task(id, ct), CancellationToken.None);
            throw;
        }
    }

    private static async Task<IResult> Get(
        string id, HttpContext context, TaskViews views, TaskEnds ends, DatabaseRetry database, CancellationToken cancellationToken)
    {
        if (!OpenAiFormat.TryId(OpenAiFormat.ChatPrefix, id, out var guid)
            || (await database.Read(ct => views.Known([guid], ct), cancellationToken)).GetValueOrDefault(guid) is not { } known
            || !context.Caller().MaySee(known.Tenant)
            || await database.Read(ct => ends.Result(guid, ct), cancellationToken) is not { } result)
            throw new ProblemException(Problem.NoSuch("chat completion"));
        return result.EndedAt is null ? HandOver(context, guid) : Answer(context, result);
    }

    private static AcceptedTask Taken(ChatRequest request, Guid id, string tenant, TimeProvider clock)
    {
        var task = request.Task with { Priority = Priorities.Name(Priorities.Interactive) };
        var taken = TaskIntake.Read(task, id, tenant, clock.GetUtcNow().UtcDateTime, request.Stream);
        return taken.Refusal is { } refusal ? throw new ProblemException(Problem.Refused(refusal)) : taken;
    }

    /// <summary>Null when the time was over first.</summary>
    private static async Task<TaskResult?> Ended(
        Guid id, TaskEnds ends, TimeSpan wait, TimeProvider clock, CancellationToken cancellationToken)
    {
        try
        {
            await ends.Of(id, cancellationToken).WaitAsync(wait, clock, cancellationToken);
        }
        catch (TimeoutException)
        {
            return null;
        }

        return await ends.Result(id, cancellationToken);
    }

    private static IResult Answer(HttpContext context, TaskResult result)
    {
        context.Response.Headers["x-request-id"] = $"req_{result.TaskId:N}";
        if (result.State == TaskStates.Completed)
            return OpenAiAnswers.Ok(result.ToChatAnswer());
        // The queue has tried all there is to try; a client that tries again would only do it twice.
        context.Response.Headers["x-should-retry"] = "false";
        return OpenAiAnswers.Of(ProblemOf(result));
    }

    internal static Problem ProblemOf(TaskResult result)
    {
        var reason = $"{result.Reason ?? "The task ended without an answer."} (task {result.TaskId})";
        return result.State switch
        {
            TaskStates.Rejected => Problem.Refused(reason),
            TaskStates.Expired =>
                new Problem(StatusCodes.Status504GatewayTimeout, "expired", "The deadline passed", reason) { Code = "deadline_expired" },
            TaskStates.Canceled =>
                new Problem(StatusCodes.Status409Conflict, "canceled", "The task was canceled", reason) { Code = "canceled" },
            _ => new Problem(StatusCodes.Status502BadGateway, "failed", "No provider answered", reason) { Code = "provider_failed" },
        };
    }

    /// <summary>Not ended yet: no choices, and where to ask for them.</summary>
    private static IResult HandOver(HttpContext context, Guid id)
    {
        context.Response.Headers.Location = $"/v1/chat/completions/{OpenAiFormat.Id(OpenAiFormat.ChatPrefix, id)}";
        context.Response.Headers.RetryAfter = "5";
        return TypedResults.Json(new
        {
            id = OpenAiFormat.Id(OpenAiFormat.ChatPrefix, id), @object = "chat.completion",
            created = OpenAiFormat.Seconds(context.RequestServices.GetRequiredService<TimeProvider>().GetUtcNow().UtcDateTime), model = "",
            choices = Array.Empty<ChatChoice>(), task = new { id, self = $"/v1/tasks/{id}" },
        },
            OpenAiFormat.Json, statusCode: StatusCodes.Status202Accepted);
    }
}
