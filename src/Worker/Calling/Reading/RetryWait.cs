using System.Globalization;
using System.Text.RegularExpressions;
using LlmQueue.Limits;

namespace LlmQueue.Worker.Calling.Reading;

/// <summary>How long a provider asks to wait, in whichever of its forms it says so. Pure.</summary>
public static partial class RetryWait
{
    /// <summary>Where nobody says how long.</summary>
    private static readonly TimeSpan Standard = TimeSpan.FromSeconds(5);

    /// <summary>What is asked for beyond this is looked at again: limits are raised, months begin.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromDays(2);

    /// <summary>
    /// The exact words of the body, then retry-after-ms, then Retry-After (rounded to whole seconds), then Google's RetryInfo, then the reset of a window that is empty.
    /// </summary>
    public static TimeSpan Of(Func<string, string?> header, ErrorBody error, DateTimeOffset now)
    {
        var wait = Words(error.Message ?? error.Text) ?? Milliseconds(header("retry-after-ms")) ?? RetryAfter(header("retry-after"), now)
            ?? Duration(error.RetryDelay) ?? RateHeaders.EmptyWindowResets(header, now) ?? Standard;
        // Google names a day's quota with a delay of seconds: its day ends at midnight on the Pacific coast, and every call until then would be refused.
        if (RateHeaders.Window(error) is LimitWindow.RequestsPerDay or LimitWindow.TokensPerDay && error.Quotas.Count > 0)
            wait = Later(wait, UntilPacificMidnight(now));
        return wait < Longest ? wait : Longest;
    }

    /// <summary>RFC 9110: whole seconds or a date; fractions and Go durations are seen as well. Null for anything else and for what is past.</summary>
    public static TimeSpan? RetryAfter(string? text, DateTimeOffset now)
    {
        if (RateHeaders.Number(text) is { } seconds)
            return TimeSpan.FromSeconds(Math.Min(seconds, Longest.TotalSeconds));
        if (Duration(text) is { } duration)
            return duration;
        return Moment(text) is { } at && at > now ? at - now : null;
    }

    /// <summary>A moment as RFC 3339, as an HTTP date, or as milliseconds or seconds since 1970.</summary>
    public static DateTimeOffset? Moment(string? text)
    {
        if (RateHeaders.Number(text) is { } number)
            return number > 1e11 ? DateTimeOffset.FromUnixTimeMilliseconds((long)Math.Min(number, 2.5e14)) : number > 1e9 ? DateTimeOffset.FromUnixTimeSeconds((long)number) : null;
        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? at : null;
    }

    /// <summary>A Go duration: "2m59.56s", "7.66s", "1h2m3s", "235ms". Null for anything else.</summary>
    public static TimeSpan? Duration(string? text)
    {
        if (string.IsNullOrWhiteSpace(text))
            return null;
        var total = TimeSpan.Zero;
        var length = 0;
        foreach (Match part in DurationPart().Matches(text))
        {
            var value = double.Parse(part.Groups[1].Value, CultureInfo.InvariantCulture);
            total += part.Groups[2].Value switch
            {
                "d" => TimeSpan.FromDays(value),
                "h" => TimeSpan.FromHours(value),
                "m" => TimeSpan.FromMinutes(value),
                "s" => TimeSpan.FromSeconds(value),
                "ms" => TimeSpan.FromMilliseconds(value),
                _ => TimeSpan.FromMicroseconds(value),
            };
            length += part.Length;
        }

        return length == text.Trim().Length && length > 0 ? total : null;
    }

    private static TimeSpan? Words(string text) => TryAgainIn().Match(text) is { Success: true } match ? Duration(match.Groups[1].Value) : null;

    private static TimeSpan? Milliseconds(string? text) => RateHeaders.Number(text) is { } ms ? TimeSpan.FromMilliseconds(Math.Min(ms, Longest.TotalMilliseconds)) : null;

    // 08:00 UTC is midnight there in winter and an hour past it in summer: late is harmless, early is refused.
    private static TimeSpan UntilPacificMidnight(DateTimeOffset now)
    {
        var today = new DateTimeOffset(now.UtcDateTime.Date, TimeSpan.Zero).AddHours(8);
        return (today > now ? today : today.AddDays(1)) - now;
    }

    private static TimeSpan Later(TimeSpan a, TimeSpan b) => a > b ? a : b;

    [GeneratedRegex(@"(?:try again|retry) in ((?:[0-9.]+(?:ms|us|µs|d|h|m|s))+)", RegexOptions.IgnoreCase)]
    private static partial Regex TryAgainIn();

    [GeneratedRegex(@"([0-9]+(?:\.[0-9]+)?)(ms|us|µs|d|h|m|s)")]
    private static partial Regex DurationPart();
}
