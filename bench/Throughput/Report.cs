namespace LlmQueue.Bench.Throughput;

/// <summary>A line a round, then the medians and what ours is of each peer's.</summary>
internal static class Report
{
    public const string Heading = "round            tasks/s  p50 ms  p99 ms  memory (peak)  processor ms a task                                             load";
    private static readonly string[] Order = ["worker", "postgres", "rabbitmq", "redis", "producer", "provider"];

    public static void Print(string title, Round round, string load) =>
        Console.WriteLine($"{title,-16} {round.TasksPerSecond,7:0}  {Ms(round.P50)}  {Ms(round.P99)}  {round.Megabytes,4} ({round.PeakMegabytes,3}) MB  {Shares(round),-64}  {load}");

    public static void Medians(IReadOnlyCollection<Round> rounds)
    {
        var medians = rounds.GroupBy(round => round.Name, StringComparer.Ordinal).Select(group => Median([.. group])).ToList();
        foreach (var median in medians)
            Print($"{median.Name} median", median, "");
        var ours = medians[0];
        if (ours.ProviderMs.Count > 0)
            Console.WriteLine($"The provider's own time is in the latencies: p50 {Round.Percentile(ours.ProviderMs, 0.5):0.0} ms, p99 {Round.Percentile(ours.ProviderMs, 0.99):0.0} ms.");
        foreach (var peer in medians.Skip(1))
            Console.WriteLine($"{ours.Name} does {ours.TasksPerSecond / peer.TasksPerSecond:0.00} times {peer.Name}'s tasks a second (median of the rounds' ratios {Ratio(rounds, ours.Name, peer.Name):0.00}).");
    }

    private static double Ratio(IReadOnlyCollection<Round> rounds, string ours, string peer) =>
        Round.Median(rounds.Where(r => r.Name == ours).Zip(rounds.Where(r => r.Name == peer), (a, b) => a.TasksPerSecond / b.TasksPerSecond));

    private static Round Median(IReadOnlyList<Round> rounds) => new()
    {
        Name = rounds[0].Name,
        TasksPerSecond = Round.Median(rounds.Select(r => r.TasksPerSecond)),
        ProcessorMs = rounds[0].ProcessorMs.Keys.ToDictionary(name => name, name => Round.Median(rounds.Select(r => r.ProcessorMs.GetValueOrDefault(name))), StringComparer.Ordinal),
        Megabytes = rounds.Max(r => r.Megabytes),
        PeakMegabytes = rounds.Max(r => r.PeakMegabytes),
        Latencies = rounds.Any(r => r.Latencies.Count == 0) ? [] : [.. rounds.SelectMany(r => r.Latencies).Order()],
        ProviderMs = [.. rounds.SelectMany(r => r.ProviderMs).Order()],
    };

    private static string Ms(double? ms) => ms is { } known ? $"{known,6:0.0}" : "     -";

    private static string Shares(Round round) => string.Join(", ", Order.Where(round.ProcessorMs.ContainsKey).Select(name => $"{name} {round.ProcessorMs[name]:0.00}"));
}
