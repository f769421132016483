using System.Globalization;
using System.Text.RegularExpressions;

namespace LlmQueue.Worker.Calling.Reading;

/// <summary>
/// Parses numbers, durations and times as providers write them into headers and bodies. Null for what cannot be read. Pure.
/// </summary>
public static partial class WireValue
{
    /// <summary>A number that counts something: finite and not negative.</summary>
    public static double? Number(string? text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number >= 0 && double.IsFinite(number)
            ? number
            : null;

    /// <summary>A Go duration: "2m59.56s", "7.66s", "1h2m3s", "235ms".</summary>
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

    /// <summary>A moment as RFC 3339, as an HTTP date, or as milliseconds or seconds since 1970.</summary>
    public static DateTimeOffset? Moment(string? text)
    {
        if (Number(text) is { } number)
            return number > 1e11 ? DateTimeOffset.FromUnixTimeMilliseconds((long)Math.Min(number, 2.5e14))
                : number > 1e9 ? DateTimeOffset.FromUnixTimeSeconds((long)number)
                : null;
        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? at : null;
    }

    /// <summary>How long until then: a duration, seconds, or a moment that is not past.</summary>
    public static TimeSpan? TimeLeft(string? text, DateTimeOffset now)
    {
        if (Duration(text) is { } duration)
            return duration;
        if (Moment(text) is { } at)
            return at > now ? at - now : null;
        return Number(text) is { } seconds ? TimeSpan.FromSeconds(seconds) : null;
    }

    [GeneratedRegex(@"([0-9]+(?:\.[0-9]+)?)(ms|us|µs|d|h|m|s)")]
    private static partial Regex DurationPart();
}
