using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Bench.Throughput;

/// <summary>The same calls through a peer: a program for node, see Peers.</summary>
internal sealed class Peer : IContender
{
    private readonly string _folder;
    private readonly ProcessUnderTest _node;
    private readonly ProcessUnderTest? _redis;
    private readonly HttpClient _http;

    private Peer(string name, string folder, ProcessUnderTest node, ProcessUnderTest? redis, HttpClient http, int worker, Clocks clocks) =>
        (Name, _folder, _node, _redis, _http, Worker, Clocks) = (name, folder, node, redis, http, worker, clocks);

    public string Name { get; }

    public int Worker { get; }

    public Clocks Clocks { get; }

    // Not LLMQUEUE_…: the harness forgets the settings of an installation.
    private static string? Folder => Environment.GetEnvironmentVariable("BENCH_PEERS");

    private static string? Node => Environment.GetEnvironmentVariable("BENCH_NODE");

    public static bool CanBeMeasured(string name) =>
        Folder is not null && Node is not null && (name != "bullmq" || (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, "redis-server"))));

    public static async Task<Peer> Start(string name, Servers servers)
    {
        var folder = Directory.CreateTempSubdirectory("llmqueue-peer-").FullName;
        var (port, redisPort) = (Ports.Free(), Ports.Free());
        var redis = name == "bullmq" ? await Redis(redisPort, folder) : null;
        var work = Path.Combine(folder, "work.json");
        await File.WriteAllTextAsync(work, JsonSerializer.Serialize(new
        {
            port, redisPort, database = Servers.Url(await servers.Postgres.CreateDatabase()), baseUrl = servers.Simulator.BaseUrl, model = Ours.Model, key = Ours.Key, maxTokens = Prompts.MaxOutputTokens,
            filler = Prompts.Filler, bytes = Prompts.Bytes, publishers = Bench.AtOnce,
        }, JsonSerializerOptions.Web));
        var node = ProcessUnderTest.Start(Node!, [Path.Combine(Folder!, "peer.mjs"), name, work], new Dictionary<string, string?>(StringComparer.Ordinal) { ["NODE_ENV"] = "production" });
        var line = await node.WaitForLine(line => line.StartsWith("{\"listening\"", StringComparison.Ordinal), TimeSpan.FromSeconds(60));
        var said = JsonDocument.Parse(line).RootElement;
        var (producer, worker) = (said.GetProperty("producer").GetInt32(), said.GetProperty("worker").GetInt32());
        var http = new HttpClient { BaseAddress = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")), Timeout = TimeSpan.FromMinutes(5) };
        return new Peer(name, folder, node, redis, http, worker, new Clocks(servers, worker, producer, redis?.Id));
    }

    public async Task<(TimeSpan Took, IReadOnlyList<double> Latencies)> Do(string run, int tasks, int rate)
    {
        using var response = await _http.PostAsJsonAsync("/", new { run, tasks, rate });
        var said = (await response.Content.ReadFromJsonAsync<JsonElement>())!;
        return (TimeSpan.FromMilliseconds(said.GetProperty("ms").GetDouble()), [.. said.GetProperty("latencies").EnumerateArray().Select(ms => ms.GetDouble()).Order()]);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _node.DisposeAsync();
        if (_redis is not null)
            await _redis.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static async Task<ProcessUnderTest> Redis(int port, string folder)
    {
        var redis = ProcessUnderTest.Start("redis-server", ["--port", port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "yes", "--appendfsync", "always"]);
        await redis.WaitForLine("Ready to accept connections", TimeSpan.FromSeconds(20));
        return redis;
    }
}
