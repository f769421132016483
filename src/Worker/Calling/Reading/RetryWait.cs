using System.Text.RegularExpressions;

namespace LlmQueue.Worker.Calling.Reading;

/// <summary>Reads how long a provider asks to wait, in each of its forms. Pure.</summary>
public static partial class RetryWait
{
    /// <summary>Where nobody says how long.</summary>
    private static readonly TimeSpan Standard = TimeSpan.FromSeconds(5);

    /// <summary>What is asked for beyond this is looked at again: limits are raised, months begin.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromDays(2);

    /// <summary>
    /// The exact words of the body, then retry-after-ms, then Retry-After (rounded to whole seconds), then Google's RetryInfo, then the
    /// reset of a window that is empty.
    /// </summary>
    /// <param name="header">A header by its name.</param>
    /// <param name="error">The refusal.</param>
    /// <param name="windows">The headers that may say when a window is full again.</param>
    /// <param name="atLeast">What the provider is known to need whatever it says; null for nothing.</param>
    /// <param name="now">The moment of the refusal.</param>
    public static TimeSpan Of(
        Func<string, string?> header, ErrorBody error, IEnumerable<WindowHeaders> windows, TimeSpan? atLeast, DateTimeOffset now)
    {
        var wait = Words(error.Message ?? error.Text)
            ?? Milliseconds(header("retry-after-ms"))
            ?? RetryAfter(header("retry-after"), now)
            ?? WireValue.Duration(error.RetryDelay)
            ?? WindowHeaders.EmptyWindowResets(windows, header, now)
            ?? Standard;
        if (atLeast > wait)
            wait = atLeast.Value;
        return wait < Longest ? wait : Longest;
    }

    /// <summary>
    /// RFC 9110: whole seconds or a date; fractions and Go durations are seen as well. Null for anything else and for the past.
    /// </summary>
    public static TimeSpan? RetryAfter(string? text, DateTimeOffset now)
    {
        if (WireValue.Number(text) is { } seconds)
            return TimeSpan.FromSeconds(Math.Min(seconds, Longest.TotalSeconds));
        if (WireValue.Duration(text) is { } duration)
            return duration;
        return WireValue.Moment(text) is { } at && at > now ? at - now : null;
    }

    private static TimeSpan? Words(string text) =>
        TryAgainIn().Match(text) is { Success: true } match ? WireValue.Duration(match.Groups[1].Value) : null;

    private static TimeSpan? Milliseconds(string? text) =>
        WireValue.Number(text) is { } ms ? TimeSpan.FromMilliseconds(Math.Min(ms, Longest.TotalMilliseconds)) : null;

    [GeneratedRegex(@"(?:try again|retry) in ((?:[0-9.]+(?:ms|us|µs|d|h|m|s))+)", RegexOptions.IgnoreCase)]
    private static partial Regex TryAgainIn();
}
