using System.Text.RegularExpressions;
using LlmQueue.Limits;

namespace LlmQueue.Worker.Calling.Reading;

/// <summary>The limit that the words of a refusal name: "on tokens per minute (TPM): Limit 6000, Used 5034". Pure.</summary>
/// <param name="Window">Of which window it is; null where it does not say.</param>
/// <param name="Limit">What the window allows; null where it does not say.</param>
public readonly partial record struct NamedLimit(LimitWindow? Window, double? Limit)
{
    public static NamedLimit Read(ErrorBody error) => new(WindowIn(error), LimitIn(error));

    /// <summary>"Limit 6000, Used …" of Groq and OpenAI, "Limit: 3 / min" of OpenAI.</summary>
    public static double? LimitIn(ErrorBody error) =>
        LimitWords().Match(error.Message ?? error.Text) is { Success: true } match ? WireValue.Number(match.Groups[1].Value) : null;

    private static LimitWindow? WindowIn(ErrorBody error) =>
        error.Says("(TPM)", "tokens per minute", "tokens per min") ? LimitWindow.TokensPerMinute
        : error.Says("(TPD)", "tokens per day") ? LimitWindow.TokensPerDay
        : error.Says("(RPM)", "requests per min") ? LimitWindow.RequestsPerMinute
        : error.Says("(RPD)", "requests per day") ? LimitWindow.RequestsPerDay
        : null;

    [GeneratedRegex(@"Limit:? ([0-9]+)", RegexOptions.IgnoreCase)]
    private static partial Regex LimitWords();
}
