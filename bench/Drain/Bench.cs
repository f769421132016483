namespace LlmQueue.Bench.Drain;

/// <summary>So many runs of the queue, and of the peer if asked for; a line each, and their medians.</summary>
internal static class Bench
{
    public static async Task<int> Run(Arguments arguments, Scenario scenario)
    {
        Console.WriteLine($"{scenario.Name}: {scenario.Calls.Count} calls, {scenario.Calls.Sum(call => (long)call.Tokens):N0} tokens, {scenario.Buckets} buckets, {arguments.Workers} worker(s){(arguments.Cold ? ", cold" : "")}");
        Console.WriteLine(Figures.Heading);
        await using var servers = await Servers.Start(scenario);
        await Series("queue", arguments.Runs, run => QueueRun.Drain(servers, scenario, arguments, run));
        if (arguments.Peer)
            await Series("BullMQ", arguments.Runs, run => PeerRun.Drain(servers, scenario, arguments, run));
        return 0;
    }

    private static async Task Series(string name, int runs, Func<int, Task<Figures>> drain)
    {
        var figures = new List<Figures>();
        for (var run = 1; run <= runs; run++)
        {
            figures.Add(await drain(run));
            Console.WriteLine(figures[^1].Row($"{name} {run}", Load()));
        }

        if (runs > 1)
            Console.WriteLine(Figures.Median(figures).Row($"{name} median", ""));
    }

    // The machine's own word for how busy it was: without it a figure of a shared machine says little.
    private static string Load() => File.Exists("/proc/loadavg") ? string.Join(' ', File.ReadAllText("/proc/loadavg").Split(' ').Take(2)) : "";
}
