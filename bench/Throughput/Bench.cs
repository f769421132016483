namespace LlmQueue.Bench.Throughput;

/// <summary>So many rounds, each contender once a round, so that a busier minute of the machine falls upon all.</summary>
internal static class Bench
{
    public const int AtOnce = 64, PromptBytes = 1024, MaxOutputTokens = 64;

    public static async Task Run(Arguments arguments)
    {
        var peers = arguments.Peers.Where(PeerRun.CanBeMeasured).ToList();
        Console.WriteLine($"{arguments.Rounds} round(s) of {arguments.Tasks} tasks of {PromptBytes} bytes, published one by one, {AtOnce} at once, after {arguments.WarmUp} to warm up; latency at {arguments.Rate} tasks/s for {arguments.Seconds} s; {Environment.ProcessorCount} processors");
        Console.WriteLine(Report.Heading);
        await using var servers = await Servers.Start();
        var rounds = new List<Round>();
        for (var round = 1; round <= arguments.Rounds; round++)
        {
            await Keep("LlmQueue", round, OurRun.Measure);
            foreach (var peer in peers)
                await Keep(peer, round, (s, a, r) => PeerRun.Measure(peer, s, a, r));
        }

        Report.Medians(rounds);

        async Task Keep(string name, int round, Func<Servers, Arguments, int, Task<Round>> measure)
        {
            rounds.Add(await measure(servers, arguments, round));
            Report.Print($"{name} {round}", rounds[^1], Load());
        }
    }

    // The machine's own word for how busy it was: without it a figure of a shared machine says little.
    private static string Load() => File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : "";
}
