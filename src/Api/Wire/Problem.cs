using System.Data.Common;
using LlmQueue.OpenAi;
using LlmQueue.Storage.Commits;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace LlmQueue.Api.Wire;

/// <summary>A refusal as problem details (RFC 9457): the type is for programs, the detail is a sentence for people.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Type">The last word of <c>urn:llmqueue:problem:…</c>; a wire name.</param>
/// <param name="Title">The same for every problem of the type.</param>
/// <param name="Detail">What was found, what was expected, what to do.</param>
public sealed record Problem(int Status, string Type, string Title, string Detail)
{
    /// <summary>Seconds after which trying again makes sense; null when it never does.</summary>
    public int? RetryAfter { get; init; }

    /// <summary>The field that is wrong, where OpenAI's clients look for it.</summary>
    public string? Param { get; init; }

    /// <summary>OpenAI's word for what is wrong; its clients compare it.</summary>
    public string? Code { get; init; }

    /// <summary>Further members of the body.</summary>
    public IDictionary<string, object?>? More { get; init; }

    public static Problem Refused(string detail) =>
        new(StatusCodes.Status400BadRequest, "refused", "The request cannot be carried out", detail);

    public static Problem NotJson(string detail) => new(StatusCodes.Status400BadRequest, "not-json", "The body is not JSON", detail);

    public static Problem TooLarge(string detail) =>
        new(StatusCodes.Status413PayloadTooLarge, "too-large", "The body is too large", detail);

    /// <summary>The same for an id of nobody, of another tenant and for what is no id: nobody learns which ids exist.</summary>
    public static Problem NoSuch(string what) =>
        new(StatusCodes.Status404NotFound, "not-found", $"There is no such {what}",
            $"No {what} of yours has this id. Ids are those that POST answered with.");

    public static Problem Ended(string what, string state) =>
        new(StatusCodes.Status409Conflict, "ended", $"The {what} has ended",
            $"The {what} has ended already, in the state '{state}'; there is nothing left to cancel.")
    {
        More = new Dictionary<string, object?> { ["state"] = state },
    };

    public static Problem IdTaken(Guid id) =>
        new(StatusCodes.Status409Conflict, "id-taken", "The id is taken",
            $"The id {id} belongs to work of somebody else; choose another, or leave it out.");

    /// <summary>
    /// An id that a caller may not choose: it could be computed from somebody's Idempotency-Key, and lie in wait for that request.
    /// </summary>
    public static Problem DerivedId(Guid id) =>
        Refused($"'id' is {id}, a UUID of version 8, which the queue keeps for ids that follow from an Idempotency-Key; "
            + "expected a random one (version 4) or a dated one (version 7), or none.");

    public static Problem Unavailable(string detail) =>
        new(StatusCodes.Status503ServiceUnavailable, "unavailable", "The queue cannot do this now", detail) { RetryAfter = 5 };

    public IResult Result() => new Answer(this);

    private sealed class Answer(Problem problem) : IResult, IStatusCodeHttpResult
    {
        public int? StatusCode => problem.Status;

        public Task ExecuteAsync(HttpContext httpContext)
        {
            if (problem.RetryAfter is { } seconds)
                httpContext.Response.Headers.RetryAfter = seconds.ToString();
            if (OpenAiAnswers.AreExpected(httpContext))
                return OpenAiAnswers.Of(problem).ExecuteAsync(httpContext);
            return TypedResults.Problem(problem.Detail, null, problem.Status, problem.Title, $"urn:llmqueue:problem:{problem.Type}",
                problem.More)
                .ExecuteAsync(httpContext);
        }
    }
}

/// <summary>Stops a request with a problem, from wherever it is noticed.</summary>
public sealed class ProblemException(Problem problem) : Exception(problem.Detail)
{
    public Problem Problem { get; } = problem;
}

/// <summary>Every answer that is not the one asked for is a problem: faults, unknown addresses, wrong methods.</summary>
public static class ProblemAnswers
{
    public static void UseProblemAnswers(this WebApplication app)
    {
        app.Use(Catch);
        app.UseStatusCodePages(status => Explain(status.HttpContext));
    }

    private static async Task Catch(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody is there to read an answer.
            context.Abort();
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            var logger = context.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger("LlmQueue.Api");
            await Of(e, context, logger).Result().ExecuteAsync(context);
        }
    }

    private static Problem Of(Exception exception, HttpContext context, ILogger logger)
    {
        switch (exception)
        {
            case ProblemException refused:
                return refused.Problem;
            case RefusedRequestException refused:
                return new Problem(refused.Status, refused.Status == 404 ? "model-not-found" : "refused",
                    "The request cannot be carried out", refused.Message) { Param = refused.Error.Param, Code = refused.Error.Code };
            case BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge }:
                return Problem.TooLarge($"The body is larger than {JsonBody.LargestBody >> 20} MB; hand the work in as several requests.");
            case BadHttpRequestException bad:
                return new Problem(bad.StatusCode, "bad-request", "The request is broken", bad.Message);
            // Only what a key named can be there twice.
            case { InnerException: DbException { SqlState: "23505" } }:
                return new Problem(StatusCodes.Status409Conflict, "in-progress", "The same request is being carried out",
                    "Another request with this Idempotency-Key is being carried out; try again in a moment, and its answer is this one's.")
                {
                    RetryAfter = 2,
                };
            case var away when DatabaseFaults.IsPassing(away):
                logger.LogWarning("The database does not answer: {Reason}", away.Message);
                return Problem.Unavailable("The database does not answer. Try again in a moment.");
            default:
                // The exception's own words may quote what was sent; only its kind and its place are written down.
                logger.LogError("{Method} {Path} met an unexpected fault, {Kind}, request {Request}:\n{Trace}", context.Request.Method,
                    context.GetEndpoint()?.DisplayName,
                    exception is DbException { SqlState: { } state } ? $"{exception.GetType().Name} {state}" : exception.GetType().Name,
                    context.TraceIdentifier, exception.StackTrace);
                return new Problem(StatusCodes.Status500InternalServerError, "fault", "The queue met a fault of its own",
                    $"An unexpected fault; the log has it under the request {context.TraceIdentifier}. Nothing else is affected.");
        }
    }

    private static Task Explain(HttpContext context)
    {
        var (method, path) = (context.Request.Method, context.Request.Path.Value);
        var problem = context.Response.StatusCode switch
        {
            StatusCodes.Status404NotFound =>
                new Problem(404, "no-such-address", "Nothing is at this address", $"Nothing is at '{path}'. {Addresses(context)}"),
            StatusCodes.Status405MethodNotAllowed => new Problem(405, "wrong-method", "The address does not answer this method",
                $"'{path}' does not answer {method}; expected "
                    + $"{string.Join(" or ", context.Response.Headers.Allow.ToString().Split(", "))}."),
            var other =>
                new Problem(other, "refused", "The request was refused", $"{method} '{path}' was refused with the status {other}."),
        };
        return problem.Result().ExecuteAsync(context);
    }

    /// <summary>What could have been meant, as the slices have mapped it.</summary>
    private static string Addresses(HttpContext context)
    {
        var endpoints = RouteAddresses.Of(context)
            .Where(endpoint => RouteAddresses.Root(endpoint).StartsWith("/v1/", StringComparison.Ordinal))
            .ToLookup(OpenAiAnswers.IsMarked, RouteAddresses.Root);
        var others = RouteAddresses.Of(context).Select(RouteAddresses.Root)
            .Where(address => !address.StartsWith("/v1/", StringComparison.Ordinal));
        return $"There are {string.Join(", ", endpoints[false].Distinct())}; "
            + $"for OpenAI's clients {string.Join(", ", endpoints[true].Distinct())}; besides {string.Join(", ", others.Distinct())}.";
    }
}
