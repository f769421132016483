using System.Globalization;

namespace ProviderSimulator.Limits;

/// <summary>
/// Groq prints durations as Go does: "235ms", "7.66s", "2m59.56s", "1h0m3s". A client that reads an integer gets them wrong.
/// </summary>
internal static class GoDuration
{
    public static string Format(TimeSpan duration)
    {
        // Upwards, so that whoever waits exactly as long as told is let in.
        var milliseconds = WholeMilliseconds(duration);
        if (milliseconds == 0)
        {
            return "0s";
        }

        if (milliseconds < 1000)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{milliseconds}ms");
        }

        var hours = milliseconds / 3_600_000;
        var minutes = milliseconds / 60_000 % 60;
        var seconds = (milliseconds % 60_000 / 1000m).ToString("0.###", CultureInfo.InvariantCulture);
        return (hours, minutes) switch
        {
            ( > 0, _) => string.Create(CultureInfo.InvariantCulture, $"{hours}h{minutes}m{seconds}s"),
            (_, > 0) => string.Create(CultureInfo.InvariantCulture, $"{minutes}m{seconds}s"),
            _ => seconds + "s",
        };
    }

    public static long WholeSeconds(TimeSpan duration) => (WholeMilliseconds(duration) + 999) / 1000;

    // The last hair of a floating-point division must not add a millisecond.
    private static long WholeMilliseconds(TimeSpan duration) => Math.Max(0, (long)Math.Ceiling(duration.TotalMilliseconds - 1e-3));
}
