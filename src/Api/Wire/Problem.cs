using System.Data.Common;
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
