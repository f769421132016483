using System.Diagnostics;
using System.Text.Json;
using LlmQueue.Bench.Throughput;
using LlmQueue.Contracts;
using LlmQueue.Tests.Harness;
using Npgsql;
using RabbitMQ.Client;

namespace LlmQueue.Bench.Backlog;

/// <summary>One size of backlog: loaded, weighed, drained for a while, killed, started again, pruned.</summary>
internal static class Measurement
{
    /// <summary>The first is left out: in it the worker meets the line.</summary>
    public const int Windows = 4;

    private const int WarmUp = 4000, Ahead = 64;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    public static async Task<Figures> Take(PostgresServer postgres, RabbitServer rabbit, SimulatorProcess simulator, int waiting, int drain)
    {
        var folder = Directory.CreateTempSubdirectory("llmqueue-backlog-").FullName;
        var (database, broker) = (await postgres.CreateDatabase(), await rabbit.CreateVirtualHost());
        var environment = Environment(folder, database, broker, simulator);
        await File.WriteAllTextAsync(environment["CATALOGUE_PATH"]!, Catalogue(open: false));
        await using var data = NpgsqlDataSource.Create(database);
        await using var connection = await new ConnectionFactory { Uri = new Uri(broker) }.CreateConnectionAsync();
        await using var completions = await Completions.Listen(connection);
        await using var producer = await Producer.Open(connection);
        await using var worker = await Start(environment, connection);

        var warm = completions.Expect(WarmUp);
        foreach (var some in Enumerable.Range(0, WarmUp).Chunk(Ahead))
            await Task.WhenAll(some.Select(i => producer.Publish(Guid.CreateVersion7(), Prompts.Of(i, "warm-up"), "groq:warm")));
        await warm.WaitAsync(Patience, TimeProvider.System);
        await Task.WhenAll(Enumerable.Range(0, 40).Select(i => producer.Publish(Guid.CreateVersion7(), Prompts.Of(i, "line"), "groq:limited")));
        await Eventually.True("a line has formed", Patience, async () => await Loader.Ask<long>(data, "select count(*) from tasks where state = 'WaitingForCapacity'") > 0);
        await Loader.Multiply(data, waiting + (Windows * drain));
        var (idle, size) = (Processors.Megabytes(worker.Id), await Loader.Ask<long>(data, "select pg_database_size(current_database())") >> 20);

        // The catalogue is read again while the worker runs; from then on the line is open.
        var windows = new List<(double Seconds, double Worker, double Postgres, double Rabbit)>();
        var ended = completions.Expect(drain);
        await File.WriteAllTextAsync(environment["CATALOGUE_PATH"]!, Catalogue(open: true));
        for (var window = 0; window < Windows; window++)
        {
            await ended.WaitAsync(Patience, TimeProvider.System);
            ended = completions.Expect(drain);
            windows.Add((Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency, Processors.SecondsOf(worker.Id), Processors.SecondsOf(postgres.ProcessId), Processors.SecondsOf(rabbit.ProcessId)));
        }

        var memory = Math.Max(idle, Processors.Megabytes(worker.Id));
        await worker.Kill();
        var dead = await DeadRows(data);
        var due = await MakeOld(data);
        var next = completions.Expect(1);
        var killedAt = Stopwatch.GetTimestamp();
        await using var again = await Start(environment, connection: null);
        var started = Stopwatch.GetElapsedTime(killedAt, await next.WaitAsync(Patience, TimeProvider.System));
        await Eventually.True("what ended long ago is removed", Patience, async () => await Loader.Ask<long>(data, "select count(*) from tasks where ended_at < now() - interval '40 days'") == 0);
        await again.Kill();
        Directory.Delete(folder, recursive: true);

        double Each(Func<(double Seconds, double Worker, double Postgres, double Rabbit), double> of) => Middle([.. windows.Zip(windows.Skip(1), (a, b) => of(b) - of(a))]) * 1000 / drain;
        return new Figures(waiting, 1000 / Each(w => w.Seconds), Each(w => w.Worker), Each(w => w.Postgres), Each(w => w.Rabbit), memory, size, started.TotalSeconds, dead, $"{due} of {due}");
    }

    private static double Middle(List<double> values)
    {
        values.Sort();
        return (values[(values.Count - 1) / 2] + values[values.Count / 2]) / 2;
    }

    internal static Dictionary<string, string?> Environment(string folder, string database, string broker, SimulatorProcess simulator) => new(StringComparer.Ordinal)
    {
        ["DATABASE_URL"] = database, ["RABBITMQ_URL"] = broker, ["CATALOGUE_PATH"] = Path.Combine(folder, "catalogue.json"), ["LLMQUEUE_HOME"] = folder,
        ["GROQ_API_KEY"] = "sk-backlog-1", ["GROQ_BASE_URL"] = simulator.BaseUrl,
    };

    internal static async Task<ProcessUnderTest> Start(Dictionary<string, string?> environment, IConnection? connection)
    {
        var worker = ProcessUnderTest.StartDotnet(BuiltPrograms.Worker, [], environment);
        await worker.WaitForLine("The worker starts", TimeSpan.FromSeconds(60));
        if (connection is not null)
            await Eventually.True("the worker consumes", TimeSpan.FromSeconds(60), async () =>
            {
                await using var channel = await connection.CreateChannelAsync();
                return (await channel.QueueDeclarePassiveAsync(QueueNames.Intake)).ConsumerCount > 0;
            });
        return worker;
    }

    /// <summary>The tables with the most dead rows, as PostgreSQL counts them.</summary>
    private static Task<string> DeadRows(NpgsqlDataSource data) => Loader.Ask<string>(data, """
        select coalesce(string_agg(relname || ' ' || n_dead_tup || ' of ' || n_live_tup, ', ' order by n_dead_tup desc), 'none')
        from (select * from pg_stat_user_tables where n_dead_tup > 0 order by n_dead_tup desc limit 3) s
        """);

    /// <summary>What the warm-up ended counts as ended long ago, and the Pruner's next turn is in a moment.</summary>
    private static async Task<long> MakeOld(NpgsqlDataSource data)
    {
        await Loader.Run(data, "update tasks set ended_at = ended_at - interval '41 days' where ended_at is not null");
        await Loader.Run(data, $"update qrtz_triggers set next_fire_time = {TimeProvider.System.GetUtcNow().AddSeconds(5).Ticks} where trigger_name = 'prune'");
        return await Loader.Ask<long>(data, "select count(*) from tasks where ended_at < now() - interval '40 days'");
    }

    internal static string Catalogue(bool open)
    {
        object Entry(string name, object limits) => new { id = $"groq:{name}", context = 131_072, maxOutput = 8192, limits, price = new { inputUsdPerMillion = 0.05, outputUsdPerMillion = 0.08 } };
        return JsonSerializer.Serialize(new
        {
            models = new[] { Entry("warm", new { }), Entry("limited", open ? new { } : new { rpm = 6 }) },
            routes = new[] { new { task = "any", complexity = "any", models = new[] { "groq:warm", "groq:limited" } } },
        });
    }
}
