namespace LlmQueue.Bench.Throughput;

/// <summary>So many rounds, each contender once a round, so that a busier minute of the machine falls upon all. All stay up from the first round to the last, as services do.</summary>
internal static class Bench
{
    public const int AtOnce = 64;

    public static async Task Run(Arguments arguments)
    {
        Console.WriteLine($"{arguments.Rounds} round(s) of {arguments.Tasks} tasks of {Prompts.Bytes} bytes, published one by one, {AtOnce} at once, after {arguments.WarmUp} to warm up; latency at {arguments.Rate} tasks/s for {arguments.Seconds} s; {Environment.ProcessorCount} processors");
        await using var servers = await Servers.Start();
        var contenders = new List<IContender>();
        try
        {
            var ours = await Ours.Start(servers, arguments.Verbose);
            contenders.Add(ours);
            foreach (var peer in arguments.Peers.Where(Peer.CanBeMeasured))
                contenders.Add(await Peer.Start(peer, servers));
            foreach (var contender in contenders)
                await contender.Do("warm-up", arguments.WarmUp, rate: 0);

            Console.WriteLine(Report.Heading);
            var rounds = new List<Round>();
            for (var round = 1; round <= arguments.Rounds; round++)
            {
                foreach (var contender in contenders)
                {
                    rounds.Add(await Measure(contender, servers, arguments, round));
                    Report.Print($"{contender.Name} {round}", rounds[^1], Load());
                }
            }

            Report.Medians(rounds);
            await ours.Check(arguments.WarmUp + (arguments.Rounds * (arguments.Tasks + (arguments.Rate * arguments.Seconds))));
        }
        catch (Exception e) when (Said(e))
        {
            throw;
        }
        finally
        {
            foreach (var contender in contenders)
                await contender.DisposeAsync();
        }
    }

    private static async Task<Round> Measure(IContender contender, Servers servers, Arguments arguments, int round)
    {
        await servers.Settle();
        var before = contender.Clocks.Read();
        var (took, _) = await contender.Do($"round {round}", arguments.Tasks, rate: 0);
        var used = contender.Clocks.Since(before, arguments.Tasks);
        await Made(servers, contender, arguments.Tasks);

        IReadOnlyList<double> latencies = [], provider = [];
        if (arguments.Seconds > 0)
        {
            await servers.Settle();
            (_, latencies) = await contender.Do($"latency {round}", arguments.Rate * arguments.Seconds, arguments.Rate);
            await Made(servers, contender, arguments.Rate * arguments.Seconds);
            provider = [.. (await servers.Simulator.Log()).Where(call => call.EndedAt is not null).Select(call => (call.EndedAt!.Value - call.ArrivedAt).TotalMilliseconds).Order()];
        }

        return new Round
        {
            Name = contender.Name, TasksPerSecond = arguments.Tasks / took.TotalSeconds, ProcessorMs = used, Megabytes = Processors.Megabytes(contender.Worker), PeakMegabytes = Processors.PeakMegabytes(contender.Worker),
            Latencies = latencies, ProviderMs = provider,
        };
    }

    /// <summary>A contender that lost a job, or did one twice, has not done the same work.</summary>
    private static async Task Made(Servers servers, IContender contender, int due)
    {
        if ((await servers.Simulator.Statistics()).Calls is var made && made != due)
            await Console.Error.WriteLineAsync($"The provider was called {made} times for {due} tasks of {contender.Name}.");
    }

    // Before anything is tidied up, which may fail as well and then hides why.
    private static bool Said(Exception e)
    {
        Console.Error.WriteLine(e);
        return false;
    }

    // The machine's own word for how busy it was: without it a figure of a shared machine says little.
    private static string Load() => File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : "";
}
