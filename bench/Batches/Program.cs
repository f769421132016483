using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using LlmQueue.Tests.Harness;

// A file goes up, a batch is made of it, and its lines become tasks: the time from the upload's first byte until the batch is in progress, which is when every line
// has been validated and committed, and the process's highest memory. The limits leave room for one call, so that what is measured is the taking in.
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var (lines, bytes, runs) = (Argument("--lines", 50_000), Argument("--bytes", 1_000), Argument("--runs", 3));

await using var postgres = await PostgresServer.StartNew();
await using var simulator = await SimulatorProcess.Start("--latency-ms", "200");
Console.WriteLine($"{lines} lines of {bytes} bytes, {runs} runs; API and worker in one process, PostgreSQL beside it, {Environment.ProcessorCount} cores");
for (var run = 1; run <= runs; run++)
    await Run(run);

async Task Run(int run)
{
    var home = Directory.CreateTempSubdirectory("llmqueue-batches-").FullName;
    await File.WriteAllTextAsync(Path.Combine(home, "catalogue.json"), """
        { "models": [ { "id": "groq:small", "context": 32000, "maxOutput": 2000, "limits": { "rpm": 1 } } ], "routes": [ { "task": "any", "complexity": "any", "models": ["groq:small"] } ] }
        """);
    var url = $"http://127.0.0.1:{Ports.Free()}";
    await using var queue = ProcessUnderTest.StartDotnet(BuiltPrograms.Embedded, [], new Dictionary<string, string?>(StringComparer.Ordinal)
    {
        ["LLMQUEUE_HOME"] = home, ["DATABASE_URL"] = await postgres.CreateDatabase(), ["LLMQUEUE_URL"] = url, ["CATALOGUE_PATH"] = Path.Combine(home, "catalogue.json"),
        ["GROQ_API_KEY"] = "sk-batches-1", ["GROQ_BASE_URL"] = simulator.BaseUrl,
    });
    using var client = new HttpClient { BaseAddress = new Uri(url), Timeout = TimeSpan.FromMinutes(5) };
    await Eventually.True("the queue is ready", TimeSpan.FromSeconds(60), async () => (await client.GetAsync("/health/ready")).IsSuccessStatusCode);
    var (idle, path) = (Memory(queue.Id, "VmRSS"), Path.Combine(home, "input.jsonl"));
    await using (var writer = new StreamWriter(path, append: false, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { NewLine = "\n" })
        for (var i = 0; i < lines; i++)
            await writer.WriteLineAsync(Line(i));

    var began = Stopwatch.GetTimestamp();
    await using var input = File.OpenRead(path);
    using var form = new MultipartFormDataContent { { new StringContent("batch"), "purpose" }, { new StreamContent(input, 1 << 16), "file", "input.jsonl" } };
    var file = (await Json(await client.PostAsync("/v1/files", form))).GetProperty("id").GetString();
    var uploaded = Stopwatch.GetElapsedTime(began);
    var body = JsonSerializer.Serialize(new { input_file_id = file, endpoint = "/v1/chat/completions", completion_window = "24h" });
    var batch = (await Json(await client.PostAsync("/v1/batches", new StringContent(body, Encoding.UTF8, "application/json")))).GetProperty("id").GetString();
    JsonElement seen = default;
    await Eventually.True("every line is validated", TimeSpan.FromMinutes(5), async () => (seen = await Json(await client.GetAsync($"/v1/batches/{batch}"))).GetProperty("status").GetString() != "validating");
    var validated = Stopwatch.GetElapsedTime(began);
    if (seen.GetProperty("status").GetString() != "in_progress" || seen.GetProperty("request_counts").GetProperty("total").GetInt32() != lines)
        throw new InvalidOperationException($"The batch is {seen}");
    Console.WriteLine($"run {run}: {input.Length / 1e6:0.0} MB up in {uploaded.TotalSeconds:0.00} s, validated and durable after {validated.TotalSeconds:0.00} s ({lines / validated.TotalSeconds:0} lines/s); "
        + $"memory {idle} MB before, {Memory(queue.Id, "VmHWM")} MB at most");
    input.Close();
    Directory.Delete(home, recursive: true);
}

string Line(int i)
{
    var head = $$"""{"custom_id":"line-{{i}}","method":"POST","url":"/v1/chat/completions","body":{"model":"small","max_tokens":20,"messages":[{"role":"user","content":"Question {{i}}: """;
    return $"{head}{new string('x', Math.Max(1, bytes - head.Length - 6))}\"}}]}}}}";
}

static async Task<JsonElement> Json(HttpResponseMessage response) =>
    response.IsSuccessStatusCode ? JsonDocument.Parse(await response.Content.ReadAsStreamAsync()).RootElement : throw new InvalidOperationException(await response.Content.ReadAsStringAsync());

// In megabytes, as the kernel counts it.
static long Memory(int process, string what) =>
    long.Parse(File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith(what, StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) / 1024;

int Argument(string name, int unsaid) => Array.IndexOf(args, name) is var at and >= 0 && at + 1 < args.Length ? int.Parse(args[at + 1]) : unsaid;
