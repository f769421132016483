using System.Diagnostics;
using LlmQueue.Bench.Throughput;
using LlmQueue.Tests.Harness;
using Npgsql;
using RabbitMQ.Client;

namespace LlmQueue.Bench.Backlog;

/// <summary>An hour's work done in less, with the database's own vacuum as it is set: whether dead rows, and tables without more in them, grow with it.</summary>
internal static class Hour
{
    private static readonly TimeSpan SampleEvery = TimeSpan.FromSeconds(10);
    private static readonly string[] Tables = ["tasks", "attempts", "buckets", "budgets", "keys", "announcements"];

    /// <summary>Tables whose rows are overwritten or removed and never become more: what they weigh must stay what it was.</summary>
    private static readonly string[] Steady = ["buckets", "budgets", "keys", "announcements"];

    public static async Task Run(PostgresServer postgres, RabbitServer rabbit, SimulatorProcess simulator, int tasks, int rate)
    {
        var folder = Directory.CreateTempSubdirectory("llmqueue-hour-").FullName;
        var (database, broker) = (await postgres.CreateDatabase(), await rabbit.CreateVirtualHost());
        var environment = Measurement.Environment(folder, database, broker, simulator);
        await File.WriteAllTextAsync(Path.Combine(folder, "catalogue.json"), Measurement.Catalogue(open: true));
        await using var data = NpgsqlDataSource.Create(database);
        await using var connection = await new ConnectionFactory { Uri = new Uri(broker) }.CreateConnectionAsync();
        await using var completions = await Completions.Listen(connection);
        await using var producer = await Producer.Open(connection);
        await using var worker = await Measurement.Start(environment, connection);

        Console.WriteLine($"{tasks} tasks, an hour's at {tasks / 3600.0:0.#} a second, at {rate} a second; dead rows of the tables whose rows are overwritten, and what those weigh that hold no more than before");
        Console.WriteLine($"seconds  {string.Join("  ", Tables.Select(table => $"{table,13}"))}  {string.Join(" + ", Steady)}  worker");
        var all = completions.Expect(tasks);
        var began = Stopwatch.GetTimestamp();
        var publishing = Publish(producer, tasks, rate, began);
        var samples = new List<(double Second, long[] Dead, long Kilobytes)>();
        using var timer = new PeriodicTimer(SampleEvery, TimeProvider.System);
        while (!all.IsCompleted && await timer.WaitForNextTickAsync())
        {
            var dead = await Loader.Ask<long[]>(data, $"select array_agg(n_dead_tup order by array_position(array['{string.Join("','", Tables)}'], relname::text)) from pg_stat_user_tables where relname in ('{string.Join("','", Tables)}')");
            var kilobytes = await Loader.Ask<long>(data, $"select (sum(pg_total_relation_size(relid)) / 1024)::bigint from pg_stat_user_tables where relname in ('{string.Join("','", Steady)}')");
            samples.Add((Stopwatch.GetElapsedTime(began).TotalSeconds, dead, kilobytes));
            Console.WriteLine($"{samples[^1].Second,7:0}  {string.Join("  ", dead.Select(count => $"{count,13}"))}  {kilobytes,34} kB  {Processors.Megabytes(worker.Id)} MB");
        }

        await publishing;
        await all;
        // Too little work to compare its parts has only its samples to show.
        var third = samples.Count / 3;
        if (third > 0)
            foreach (var (name, part) in new[] { ("first", samples[..third]), ("second", samples[third..(2 * third)]), ("last", samples[(2 * third)..]) })
                Console.WriteLine($"most in the {name} third: {string.Join(", ", Tables.Select((table, i) => $"{table} {part.Max(sample => sample.Dead[i])}"))}; {part.Max(sample => sample.Kilobytes)} kB");
        worker.Terminate();
        await worker.ExitCode(TimeSpan.FromSeconds(60));
        Directory.Delete(folder, recursive: true);
    }

    private static async Task Publish(Producer producer, int tasks, int rate, long began)
    {
        var publishing = new List<Task>();
        for (var i = 0; i < tasks; i++)
        {
            var wait = TimeSpan.FromSeconds((double)i / rate) - Stopwatch.GetElapsedTime(began);
            if (wait > TimeSpan.Zero)
                await Task.Delay(wait, TimeProvider.System, CancellationToken.None);
            publishing.Add(producer.Publish(Guid.CreateVersion7(), Prompts.Of(i, "hour"), "groq:warm"));
        }

        await Task.WhenAll(publishing);
    }
}
