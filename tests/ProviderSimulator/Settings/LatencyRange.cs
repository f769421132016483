using System.Globalization;

namespace ProviderSimulator.Settings;

/// <summary>Time between a call's admission and its answer, uniform between both ends.</summary>
internal readonly record struct LatencyRange(int FromMs, int ToMs)
{
    public static LatencyRange Parse(string text)
    {
        var dash = text.IndexOf('-', StringComparison.Ordinal);
        var from = int.Parse(dash < 0 ? text : text.AsSpan(0, dash), CultureInfo.InvariantCulture);
        var to = dash < 0 ? from : int.Parse(text.AsSpan(dash + 1), CultureInfo.InvariantCulture);
        return Of([from, to]);
    }

    public static LatencyRange Of(IReadOnlyList<int> ends) =>
        ends is [>= 0, _] && ends[1] >= ends[0]
            ? new LatencyRange(ends[0], ends[1])
            : throw new FormatException("Latency: expected two numbers of milliseconds, the smaller one first, such as [300,600].");
}

/// <summary>Draws latencies from one seeded generator, so that a run can be repeated.</summary>
internal sealed class LatencyDice(int seed)
{
    private readonly Lock _gate = new();
    private readonly Random _random = new(seed);

    public TimeSpan Roll(LatencyRange range)
    {
        if (range.FromMs == range.ToMs)
        {
            return TimeSpan.FromMilliseconds(range.FromMs);
        }

        lock (_gate)
        {
            return TimeSpan.FromMilliseconds(_random.Next(range.FromMs, range.ToMs + 1));
        }
    }
}
