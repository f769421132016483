using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using LlmQueue.Embedded;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Bench.Drain;

/// <summary>
/// Drains the same calls through BullMQ on a redis-server of its own: a queue a bucket, each with BullMQ's limiter set to the bucket's requests a minute, calls dealt out
/// round-robin, a 429 answered as its documentation says (rateLimit until Retry-After, the job goes back). See Peer/drain.mjs.
/// </summary>
internal static class PeerRun
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(15);

    public static async Task<Figures> Drain(Servers servers, Scenario scenario, Arguments arguments, int run)
    {
        var folder = Directory.CreateTempSubdirectory("llmqueue-redis-").FullName;
        var port = Ports.Free().ToString(CultureInfo.InvariantCulture);
        await using var redis = ProcessUnderTest.Start("redis-server", ["--port", port, "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes", "--appendfsync", "everysec"], doomed: folder);
        await redis.WaitForLine("Ready to accept connections", TimeSpan.FromSeconds(20));

        var random = new Random(arguments.Seed + run);
        var work = Path.Combine(folder, "work.json");
        await File.WriteAllTextAsync(work, JsonSerializer.Serialize(new
        {
            redisPort = int.Parse(port, CultureInfo.InvariantCulture),
            baseUrl = servers.Simulator.BaseUrl,
            buckets = scenario.Organisations.Select((name, i) => (name, i)).DistinctBy(org => org.name, StringComparer.Ordinal)
                .SelectMany(org => scenario.Models.Select(model => new { key = Installation.Key(org.i), model = model.Model, requestsPerMinute = model.RequestsPerMinute })),
            calls = scenario.Calls.Select((call, i) => new { prompt = Prompts.Of(call.Prompt, i, random), maxTokens = call.Output }),
        }, JsonSerializerOptions.Web));
        await servers.Simulator.Reset();
        var script = Environment.GetEnvironmentVariable("BENCH_PEER") ?? throw new InvalidOperationException("BENCH_PEER is not set: start the bench with bench/drain.sh --peer, which installs bullmq and redis-server.");
        await using var node = ProcessUnderTest.Start("node", [script, work]);
        var line = await node.WaitForLine("drained in ", Patience);
        var taken = TimeSpan.FromMilliseconds(double.Parse(line.Split(' ')[2], CultureInfo.InvariantCulture));
        var log = await servers.Simulator.Log();
        if (arguments.Verbose)
            Refusals.Print(log);
        Directory.Delete(folder, recursive: true);
        return Figures.Of(scenario, taken, log, new Dictionary<string, int>(), []);
    }
}
