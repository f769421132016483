using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using LlmQueue.Store.Bus;
using LlmQueue.Tests.Harness;
using Npgsql;
using RabbitMQ.Client;

namespace LlmQueue.Bench.Throughput;

/// <summary>One worker process, RabbitMQ and PostgreSQL; tasks published with confirms as any program may, done when their LlmTaskCompleted has arrived.</summary>
internal static class OurRun
{
    public const string Model = "fast", Key = "sk-throughput-1";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    public static async Task<Round> Measure(Servers servers, Arguments arguments, int round)
    {
        var folder = Directory.CreateTempSubdirectory("llmqueue-throughput-").FullName;
        var (database, broker) = (await servers.Database(), await servers.Rabbit.CreateVirtualHost());
        await File.WriteAllTextAsync(Path.Combine(folder, "catalogue.json"), Catalogue());
        await using var worker = ProcessUnderTest.StartDotnet(BuiltPrograms.Worker, [], new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["DATABASE_URL"] = database, ["RABBITMQ_URL"] = broker, ["CATALOGUE_PATH"] = Path.Combine(folder, "catalogue.json"), ["LLMQUEUE_HOME"] = folder,
            ["GROQ_API_KEY"] = Key, ["GROQ_BASE_URL"] = servers.Simulator.BaseUrl,
        });
        await worker.WaitForLine("The worker starts", TimeSpan.FromSeconds(60));
        await using var connection = await new ConnectionFactory { Uri = new Uri(broker) }.CreateConnectionAsync();
        await using var events = await Completions.Listen(connection);
        await Consumes(connection);
        await servers.Simulator.Reset();
        try
        {
            await AtOnce(connection, events, arguments.WarmUp, $"warm-up {round}");
            await Task.Delay(TimeSpan.FromMilliseconds(300), TimeProvider.System, CancellationToken.None);

            var clocks = new Clocks(servers, worker.Id, Environment.ProcessId, redis: null);
            var before = clocks.Read();
            var took = await AtOnce(connection, events, arguments.Tasks, $"round {round}");
            var used = clocks.Since(before, arguments.Tasks);
            var peak = Processors.PeakMegabytes(worker.Id);

            var calls = (await servers.Simulator.Statistics()).Calls;
            var latencies = arguments.Seconds > 0 ? await Steadily(connection, events, arguments, round) : [];
            var provider = arguments.Seconds > 0 ? (await servers.Simulator.Log(calls)).Where(call => call.EndedAt is not null).Select(call => (call.EndedAt!.Value - call.ArrivedAt).TotalMilliseconds).Order().ToList() : [];
            await PeerRun.CheckCalls(servers, arguments);
            await CheckRows(database, arguments.WarmUp + arguments.Tasks + (arguments.Rate * arguments.Seconds));
            return new Round { Name = "LlmQueue", TasksPerSecond = arguments.Tasks / took.TotalSeconds, ProcessorMs = used, PeakMegabytes = peak, Latencies = latencies, ProviderMs = provider };
        }
        finally
        {
            if (arguments.Verbose)
                await Console.Error.WriteLineAsync(worker.Tail());
            worker.Terminate();
            await worker.ExitCode(TimeSpan.FromSeconds(40));
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<TimeSpan> AtOnce(IConnection connection, Completions events, int tasks, string run)
    {
        await using var producer = await Producer.Open(connection);
        var ended = events.Expect(tasks);
        var (began, next) = (Stopwatch.GetTimestamp(), -1);
        await Task.WhenAll(Enumerable.Range(0, Bench.AtOnce).Select(_ => Task.Run(async () =>
        {
            for (int i; (i = Interlocked.Increment(ref next)) < tasks;)
                await producer.Publish(Guid.CreateVersion7(), Prompts.Of(i, run));
        })));
        return Stopwatch.GetElapsedTime(began, await ended.WaitAsync(Patience, TimeProvider.System));
    }

    private static async Task<IReadOnlyList<double>> Steadily(IConnection connection, Completions events, Arguments arguments, int round)
    {
        await using var producer = await Producer.Open(connection);
        var (tasks, published) = (arguments.Rate * arguments.Seconds, new ConcurrentDictionary<Guid, long>());
        var ended = events.Expect(tasks, keepTimes: true);
        var (began, publishing) = (Stopwatch.GetTimestamp(), new List<Task>());
        for (var i = 0; i < tasks; i++)
        {
            var wait = TimeSpan.FromSeconds((double)i / arguments.Rate) - Stopwatch.GetElapsedTime(began);
            if (wait > TimeSpan.Zero)
                await Task.Delay(wait, TimeProvider.System, CancellationToken.None);
            var id = Guid.CreateVersion7();
            published[id] = Stopwatch.GetTimestamp();
            publishing.Add(producer.Publish(id, Prompts.Of(i, $"latency {round}")));
        }

        await Task.WhenAll(publishing);
        await ended.WaitAsync(Patience, TimeProvider.System);
        return [.. events.Times.Select(one => Stopwatch.GetElapsedTime(published[one.Key], one.Value).TotalMilliseconds).Order()];
    }

    /// <summary>A message to a queue that nobody has declared would go nowhere.</summary>
    private static Task Consumes(IConnection connection) => Eventually.True("the worker consumes", TimeSpan.FromSeconds(60), async () =>
    {
        await using var channel = await connection.CreateChannelAsync();
        return (await channel.QueueDeclarePassiveAsync(QueueNames.Intake)).ConsumerCount > 0;
    });

    private static async Task CheckRows(string database, int due)
    {
        await using var connection = new NpgsqlConnection(database);
        await connection.OpenAsync();
        await using var count = new NpgsqlCommand("select count(*) from tasks t join payloads p on p.subject_id = t.id and p.part = 'answer' where t.state = 'Completed'", connection);
        if (await count.ExecuteScalarAsync() is not long completed || completed != due)
            throw new InvalidOperationException($"{due} tasks were published and their completions heard, but the database does not hold as many answers.");
    }

    private static string Catalogue() => JsonSerializer.Serialize(new
    {
        models = new[] { new { id = $"groq:{Model}", context = 131_072, maxOutput = 8192, price = new { inputUsdPerMillion = 0.05, outputUsdPerMillion = 0.08 } } },
        routes = new[] { new { task = "any", complexity = "any", models = new[] { $"groq:{Model}" } } },
    });
}
