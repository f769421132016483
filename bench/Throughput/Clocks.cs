namespace LlmQueue.Bench.Throughput;

/// <summary>The processor time of every process that has a part in a contender's work.</summary>
internal sealed class Clocks(Servers servers, int worker, int producer, int? redis)
{
    public IReadOnlyDictionary<string, double> Read()
    {
        var seconds = new Dictionary<string, double>(StringComparer.Ordinal)
        {
            ["worker"] = Processors.SecondsOf(worker),
            ["postgres"] = Processors.SecondsOf(servers.Postgres.ProcessId),
            ["rabbitmq"] = Processors.SecondsOf(servers.Rabbit.ProcessId),
            ["provider"] = Processors.SecondsOf(servers.Simulator.ProcessId),
            ["producer"] = Processors.SecondsOf(producer),
        };
        if (redis is { } process)
            seconds["redis"] = Processors.SecondsOf(process);
        // A producer that is the worker's parent counts itself alone, and so does one that is the parent of all.
        seconds["producer"] -= new[] { worker, servers.Postgres.ProcessId, servers.Rabbit.ProcessId, servers.Simulator.ProcessId }.Where(child => Processors.IsUnder(child, producer)).Sum(Processors.SecondsOf);
        return seconds;
    }

    /// <summary>Milliseconds a task since then, of those that did anything.</summary>
    public IReadOnlyDictionary<string, double> Since(IReadOnlyDictionary<string, double> before, int tasks) =>
        Read().Select(now => (now.Key, Ms: (now.Value - before[now.Key]) * 1000 / tasks)).Where(use => use.Ms >= 0.005).ToDictionary(use => use.Key, use => use.Ms, StringComparer.Ordinal);
}
