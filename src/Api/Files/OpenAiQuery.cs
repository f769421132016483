using LlmQueue.Api.Wire;

namespace LlmQueue.Api.Files;

/// <summary>What lists of OpenAI's dialect are asked.</summary>
internal static class OpenAiQuery
{
    public static string? Text(IQueryCollection query, string name) =>
        query[name].ToString() is { Length: > 0 } text ? text.Replace("\0", "", StringComparison.Ordinal) : null;

    public static int Limit(IQueryCollection query, int most, int unsaid) =>
        Text(query, "limit") is not { } text ? unsaid : int.TryParse(text, out var limit) && limit >= 1 && limit <= most ? limit
        : throw new ProblemException(Problem.Refused($"'limit' is '{text}'; expected 1 to {most}.") with { Param = "limit" });
}
