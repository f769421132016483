using System.Text.Json;
using LlmQueue.Bench.Drain;
using LlmQueue.Tests.Harness;
using Npgsql;
using RabbitMQ.Client;

namespace LlmQueue.Bench.Outage;

/// <summary>1,000 tasks at a steady rate; in their middle the first provider of their chain goes down, and later it is back.</summary>
internal static class Outage
{
    public const int Tasks = 1000, PerSecond = 40, FirstChoiceSeconds = 2;
    private const int WarmUp = 80;
    public static readonly TimeSpan DownAfter = TimeSpan.FromSeconds(5), BackAfter = TimeSpan.FromSeconds(11);

    public static object? Fault(string way) => way switch
    {
        "refuses" => new { status = 503, body = "down" },
        "hangs" => new { hang = true },
        "resets" => new { reset = true },
        _ => null,
    };

    public static async Task<Figures> Run(PostgresServer postgres, RabbitServer rabbit, string way)
    {
        await using var primary = await SimulatorProcess.Start("--latency-ms", "40-80");
        await using var backup = await SimulatorProcess.Start("--latency-ms", "40-80");
        var (database, broker) = (await postgres.CreateDatabase(), await rabbit.CreateVirtualHost());
        var folder = Directory.CreateTempSubdirectory("llmqueue-outage-").FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "catalogue.json"), Catalogue());
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["DATABASE_URL"] = database, ["RABBITMQ_URL"] = broker, ["CATALOGUE_PATH"] = Path.Combine(folder, "catalogue.json"), ["LLMQUEUE_HOME"] = folder,
            ["GROQ_API_KEY"] = "sk-primary", ["GROQ_BASE_URL"] = primary.BaseUrl, ["MISTRAL_API_KEY"] = "sk-backup", ["MISTRAL_BASE_URL"] = backup.BaseUrl,
        };
        await using var one = await Worker(environment);
        await using var two = await Worker(environment);
        await using var connection = await new ConnectionFactory { Uri = new Uri(broker) }.CreateConnectionAsync();
        await using var data = NpgsqlDataSource.Create(database);

        // Compiled and proven: a new bucket opens by a few calls.
        await Producer.Publish(connection, Prompts(WarmUp));
        await Until(data, WarmUp);
        await Producer.Publish(connection, Prompts(WarmUp), "mistral:spare");
        await Until(data, 2 * WarmUp);
        await primary.Reset();
        var began = TimeProvider.System.GetUtcNow().UtcDateTime;
        var (down, back) = (began + DownAfter, began + BackAfter);
        var publishing = PublishSteadily(connection, began);
        await Wait(down);
        await primary.PostFault(Fault(way)!);
        down = TimeProvider.System.GetUtcNow().UtcDateTime;
        DateTime? opened = null;
        while (opened is null && TimeProvider.System.GetUtcNow().UtcDateTime < back)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, CancellationToken.None);
            opened = await Scalar<DateTime?>(data, "select broken_since from buckets where provider = 'groq' and broken_since is not null");
        }

        await Wait(back);
        var before = (await primary.Log()).Count == 0 ? 0 : (await primary.Log())[^1].N;
        await primary.ClearFaults();
        back = TimeProvider.System.GetUtcNow().UtcDateTime;
        await publishing;
        await Until(data, Tasks + (2 * WarmUp));
        var lived = await Lives(data, began);
        Directory.Delete(folder, recursive: true);
        return Figures.Of(way, lived, down, opened ?? back, back, await primary.Log(before));
    }

    private static async Task<ProcessUnderTest> Worker(Dictionary<string, string?> environment)
    {
        var worker = ProcessUnderTest.StartDotnet(BuiltPrograms.Worker, [], environment);
        await worker.WaitForLine("The worker starts", TimeSpan.FromSeconds(60));
        return worker;
    }

    private static async Task PublishSteadily(IConnection connection, DateTime began)
    {
        for (var i = 0; i < Tasks; i += PerSecond / 10)
        {
            await Wait(began.AddSeconds((double)i / PerSecond));
            await Producer.Publish(connection, Prompts(PerSecond / 10));
        }
    }

    private static IEnumerable<(string, int)> Prompts(int count) => Enumerable.Range(0, count).Select(i => ($"Why is the sky blue, question {i} of {Guid.NewGuid()}?", 50));

    private static async Task Wait(DateTime until)
    {
        var left = until - TimeProvider.System.GetUtcNow().UtcDateTime;
        if (left > TimeSpan.Zero)
            await Task.Delay(left, TimeProvider.System, CancellationToken.None);
    }

    private static Task Until(NpgsqlDataSource data, int ended) =>
        Eventually.True($"{ended} tasks have ended", TimeSpan.FromMinutes(2), async () => await Scalar<long>(data, "select count(*) from tasks where ended_at is not null") >= ended);

    private static async Task<List<Lived>> Lives(NpgsqlDataSource data, DateTime since)
    {
        await using var command = data.CreateCommand("select submitted_at, ended_at, state from tasks where submitted_at >= $1");
        command.Parameters.AddWithValue(since);
        await using var reader = await command.ExecuteReaderAsync();
        var lived = new List<Lived>();
        while (await reader.ReadAsync())
            lived.Add(new Lived(reader.GetDateTime(0), reader.IsDBNull(1) ? null : reader.GetDateTime(1), reader.GetString(2)));
        return lived;
    }

    private static async Task<T?> Scalar<T>(NpgsqlDataSource data, string sql)
    {
        await using var command = data.CreateCommand(sql);
        return await command.ExecuteScalarAsync() is T found ? found : default;
    }

    private static string Catalogue()
    {
        object Entry(string id) => new { id, context = 131_072, maxOutput = 8192, firstChoiceTimeoutSeconds = FirstChoiceSeconds, price = new { inputUsdPerMillion = 0.1, outputUsdPerMillion = 0.4 } };
        return JsonSerializer.Serialize(new
        {
            models = new[] { Entry("groq:first"), Entry("mistral:spare") },
            routes = new[] { new { task = "any", complexity = "any", models = new[] { "groq:first", "mistral:spare" } } },
        });
    }
}
