using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Tests.Harness;
using Npgsql;
using RabbitMQ.Client;

namespace LlmQueue.Bench.Throughput;

/// <summary>One worker process, RabbitMQ and PostgreSQL; tasks published with confirms as any program may, done when their LlmTaskCompleted has arrived.</summary>
internal sealed class Ours : IContender
{
    public const string Model = "fast", Key = "sk-throughput-1";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private readonly string _folder, _database;
    private readonly ProcessUnderTest _worker;
    private readonly IConnection _connection;
    private readonly Completions _completions;
    private readonly Producer _producer;
    private readonly bool _verbose;

    private Ours(string folder, string database, ProcessUnderTest worker, IConnection connection, Completions completions, Producer producer, Clocks clocks, bool verbose) =>
        (_folder, _database, _worker, _connection, _completions, _producer, Clocks, _verbose) = (folder, database, worker, connection, completions, producer, clocks, verbose);

    public string Name => "LlmQueue";

    public int Worker => _worker.Id;

    public Clocks Clocks { get; }

    public static async Task<Ours> Start(Servers servers, bool verbose)
    {
        var folder = Directory.CreateTempSubdirectory("llmqueue-throughput-").FullName;
        var (database, broker) = (await servers.Postgres.CreateDatabase(), await servers.Rabbit.CreateVirtualHost());
        await File.WriteAllTextAsync(Path.Combine(folder, "catalogue.json"), Catalogue());
        var worker = ProcessUnderTest.StartDotnet(BuiltPrograms.Worker, [], new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["DATABASE_URL"] = database, ["RABBITMQ_URL"] = broker, ["CATALOGUE_PATH"] = Path.Combine(folder, "catalogue.json"), ["LLMQUEUE_HOME"] = folder,
            ["GROQ_API_KEY"] = Key, ["GROQ_BASE_URL"] = servers.Simulator.BaseUrl,
        });
        await worker.WaitForLine("The worker starts", TimeSpan.FromSeconds(60));
        var connection = await new ConnectionFactory { Uri = new Uri(broker) }.CreateConnectionAsync();
        var completions = await Completions.Listen(connection);
        await Consumes(connection);
        return new Ours(folder, database, worker, connection, completions, await Producer.Open(connection), new Clocks(servers, worker.Id, Environment.ProcessId, redis: null), verbose);
    }

    public Task<(TimeSpan Took, IReadOnlyList<double> Latencies)> Do(string run, int tasks, int rate) => rate > 0 ? Steadily(run, tasks, rate) : AtOnce(run, tasks);

    /// <summary>What was heard to be completed is so in the database.</summary>
    public async Task Check(int due)
    {
        await using var connection = new NpgsqlConnection(_database);
        await connection.OpenAsync();
        await using var count = new NpgsqlCommand("select count(*) from tasks t join payloads p on p.subject_id = t.id and p.part = 'answer' where t.state = 'Completed'", connection);
        if (await count.ExecuteScalarAsync() is var completed && completed is not long answers || (long)completed! != due)
            throw new InvalidOperationException($"{due} tasks were published and their completions heard, but the database holds {completed} answers.");
    }

    public async ValueTask DisposeAsync()
    {
        if (_verbose)
            await Console.Error.WriteLineAsync(_worker.Tail());
        await _producer.DisposeAsync();
        await _completions.DisposeAsync();
        await _connection.DisposeAsync();
        _worker.Terminate();
        await _worker.ExitCode(TimeSpan.FromSeconds(60));
        await _worker.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<(TimeSpan Took, IReadOnlyList<double> Latencies)> AtOnce(string run, int tasks)
    {
        var ended = _completions.Expect(tasks);
        var (began, next) = (Stopwatch.GetTimestamp(), -1);
        await Task.WhenAll(Enumerable.Range(0, Bench.AtOnce).Select(_ => Task.Run(async () =>
        {
            for (int i; (i = Interlocked.Increment(ref next)) < tasks;)
                await _producer.Publish(Guid.CreateVersion7(), Prompts.Of(i, run));
        })));
        return (Stopwatch.GetElapsedTime(began, await ended.WaitAsync(Patience, TimeProvider.System)), []);
    }

    private async Task<(TimeSpan Took, IReadOnlyList<double> Latencies)> Steadily(string run, int tasks, int rate)
    {
        var published = new ConcurrentDictionary<Guid, long>();
        var ended = _completions.Expect(tasks, keepTimes: true);
        var (began, publishing) = (Stopwatch.GetTimestamp(), new List<Task>());
        for (var i = 0; i < tasks; i++)
        {
            var wait = TimeSpan.FromSeconds((double)i / rate) - Stopwatch.GetElapsedTime(began);
            if (wait > TimeSpan.Zero)
                await Task.Delay(wait, TimeProvider.System, CancellationToken.None);
            var id = Guid.CreateVersion7();
            published[id] = Stopwatch.GetTimestamp();
            publishing.Add(_producer.Publish(id, Prompts.Of(i, run)));
        }

        await Task.WhenAll(publishing);
        var took = Stopwatch.GetElapsedTime(began, await ended.WaitAsync(Patience, TimeProvider.System));
        return (took, [.. _completions.Times.Select(one => Stopwatch.GetElapsedTime(published[one.Key], one.Value).TotalMilliseconds).Order()]);
    }

    /// <summary>A message to a queue that nobody has declared would go nowhere.</summary>
    private static Task Consumes(IConnection connection) => Eventually.True("the worker consumes", TimeSpan.FromSeconds(60), async () =>
    {
        await using var channel = await connection.CreateChannelAsync();
        return (await channel.QueueDeclarePassiveAsync(QueueNames.Intake)).ConsumerCount > 0;
    });

    private static string Catalogue() => JsonSerializer.Serialize(new
    {
        models = new[] { new { id = $"groq:{Model}", context = 131_072, maxOutput = 8192, price = new { inputUsdPerMillion = 0.05, outputUsdPerMillion = 0.08 } } },
        routes = new[] { new { task = "any", complexity = "any", models = new[] { $"groq:{Model}" } } },
    });
}
