using System.Globalization;
using System.Text.Json;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Bench.Throughput;

/// <summary>The same calls through a peer: a program for node, see Peers.</summary>
internal static class PeerRun
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private static string? Folder => Environment.GetEnvironmentVariable("BENCH_PEERS");

    private static string? Node => Environment.GetEnvironmentVariable("BENCH_NODE");

    public static bool CanBeMeasured(string peer) =>
        Folder is not null && Node is not null && (peer != "bullmq" || (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, "redis-server"))));

    public static async Task<Round> Measure(string peer, Servers servers, Arguments arguments, int round)
    {
        var folder = Directory.CreateTempSubdirectory("llmqueue-peer-").FullName;
        var port = Ports.Free();
        await using var redis = peer == "bullmq" ? await Redis(port, folder) : null;
        var database = await servers.Database();
        var work = Path.Combine(folder, "work.json");
        await File.WriteAllTextAsync(work, JsonSerializer.Serialize(new
        {
            database = Servers.Url(database), redisPort = port, baseUrl = servers.Simulator.BaseUrl, model = OurRun.Model, key = OurRun.Key, maxTokens = Bench.MaxOutputTokens,
            filler = Prompts.Filler, bytes = Bench.PromptBytes, run = $"{peer} {round}", publishers = Bench.AtOnce,
            phases = new[] { new { name = "warm-up", tasks = arguments.WarmUp, rate = 0 }, new { name = "throughput", tasks = arguments.Tasks, rate = 0 }, new { name = "latency", tasks = arguments.Rate * arguments.Seconds, rate = arguments.Rate } }
                .Where(phase => phase.tasks > 0),
        }, JsonSerializerOptions.Web));
        await servers.Simulator.Reset();
        await using var node = ProcessUnderTest.Start(Node!, [Path.Combine(Folder!, "peer.mjs"), peer, work], new Dictionary<string, string?>(StringComparer.Ordinal) { ["NODE_ENV"] = "production" }, doomed: folder);

        var pids = (await Said(node, "pids")).GetProperty("pids");
        var worker = pids.GetProperty("worker").GetInt32();
        var clocks = new Clocks(servers, worker, pids.GetProperty("producer").GetInt32(), redis?.Id);
        await Said(node, "phase");
        await Said(node, "quiet");
        var before = clocks.Read();
        var throughput = await Said(node, "phase");
        var used = clocks.Since(before, arguments.Tasks);
        var peak = Processors.PeakMegabytes(worker);
        var latency = arguments.Seconds > 0 ? await Said(node, "phase") : default;
        await CheckCalls(servers, arguments);
        return new Round
        {
            Name = peer, TasksPerSecond = arguments.Tasks / throughput.GetProperty("ms").GetDouble() * 1000, ProcessorMs = used, PeakMegabytes = peak,
            Latencies = arguments.Seconds > 0 ? [.. latency.GetProperty("latencies").EnumerateArray().Select(ms => ms.GetDouble()).Order()] : [], ProviderMs = [],
        };
    }

    /// <summary>A contender that lost a job, or did one twice, has not done the same work.</summary>
    public static async Task CheckCalls(Servers servers, Arguments arguments)
    {
        var (made, due) = ((await servers.Simulator.Statistics()).Calls, arguments.WarmUp + arguments.Tasks + (arguments.Rate * arguments.Seconds));
        if (made != due)
            await Console.Error.WriteLineAsync($"The provider was called {made} times for {due} tasks.");
    }

    private static async Task<ProcessUnderTest> Redis(int port, string folder)
    {
        var redis = ProcessUnderTest.Start("redis-server", ["--port", port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "yes", "--appendfsync", "always"]);
        await redis.WaitForLine("Ready to accept connections", TimeSpan.FromSeconds(20));
        return redis;
    }

    private static async Task<JsonElement> Said(ProcessUnderTest node, string what) =>
        JsonDocument.Parse(await node.WaitForLine(line => line.StartsWith($"{{\"{what}\"", StringComparison.Ordinal), Patience)).RootElement;
}
