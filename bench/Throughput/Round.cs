namespace LlmQueue.Bench.Throughput;

/// <summary>What one round of one contender came to.</summary>
internal sealed record Round
{
    public required string Name { get; init; }
    public required double TasksPerSecond { get; init; }

    /// <summary>Milliseconds of processor time a task, by process.</summary>
    public required IReadOnlyDictionary<string, double> ProcessorMs { get; init; }

    /// <summary>The worker's memory (RSS) at the round's end.</summary>
    public required long Megabytes { get; init; }

    /// <summary>The worker's highest memory since it started.</summary>
    public required long PeakMegabytes { get; init; }

    /// <summary>From publishing to the end, in milliseconds, at the steady rate; sorted.</summary>
    public required IReadOnlyList<double> Latencies { get; init; }

    /// <summary>What the provider itself took of each, in milliseconds; sorted.</summary>
    public required IReadOnlyList<double> ProviderMs { get; init; }

    public double? P50 => Percentile(Latencies, 0.50);

    public double? P99 => Percentile(Latencies, 0.99);

    public static double? Percentile(IReadOnlyList<double> sorted, double share) => sorted.Count == 0 ? null : sorted[(int)Math.Min(sorted.Count - 1, Math.Ceiling(share * sorted.Count) - 1)];

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }
}
