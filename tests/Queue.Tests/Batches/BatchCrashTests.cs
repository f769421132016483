using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Chaos;
using LlmQueue.Tests.Harness;
using Npgsql;

namespace LlmQueue.Tests.Batches;

/// <summary>
/// A batch across two kill -9: one while its lines are made tasks, one while they run. Invariant: every custom_id is in exactly
/// one file, exactly once.
/// </summary>
public sealed class BatchCrashTests
{
    private const string Catalogue = """
        { "models": [ { "id": "groq:first", "context": 32000, "maxOutput": 4000 }, { "id": "groq:second", "context": 32000, "maxOutput": 4000 } ],
          "routes": [ { "task": "any", "complexity": "any", "models": ["groq:first", "groq:second"] } ] }
        """;

    private static readonly TimeSpan Within = TimeSpan.FromMinutes(10);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_line_is_accounted_for_once_across_a_kill_in_the_middle_of_each_part()
    {
        const int count = 10_000;
        var began = TimeProvider.System.GetTimestamp();
        var home = Directory.CreateTempSubdirectory("llmqueue-batch-").FullName;
        await File.WriteAllTextAsync(Path.Combine(home, "catalogue.json"), Catalogue, Cancel);
        await using var simulator = await SimulatorProcess.Start("--unlimited");
        var database = await (await SharedServers.Postgres).CreateDatabase();
        await using var rows = NpgsqlDataSource.Create(database);
        var port = Ports.Free();
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}"), Timeout = TimeSpan.FromMinutes(1) };
        var lines = Enumerable.Range(0, count).Select(i => BatchClient.Line($"line-{i}", $"Question {i}",
            i % 200 == 50 ? "nobody" : i % 2 == 0 ? "first" : "auto", i % 200 == 151 ? ",\"temperature\":\"hot\"" : ""));

        string batch;
        await using (var first = await Start(home, database, port, simulator))
        {
            var file = await client.Upload(string.Join('\n', lines));
            // The second portion stands still at its commit, so that the kill meets it there.
            await Execute(rows, """
                create function stand_still() returns trigger language plpgsql as $$ begin if new.lines > 2000 and new.status = 'validating' then perform pg_sleep(120); end if; return new; end $$;
                create trigger stand_still before update on batches for each row execute function stand_still();
                """);
            batch = (await client.CreateBatch(file)).Text("id");
            await Eventually.True("the first portion is written and the second is held", TimeSpan.FromSeconds(60), async () =>
                await Scalar(rows, "select count(*) from tasks") == 2000
                    && await Scalar(rows,
                        "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'") == 1);
            await first.Kill();
        }

        // The server would go on sleeping for a client that is no more.
        await Execute(rows,
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'");
        await Execute(rows, "drop trigger stand_still on batches");
        Assert.Equal(2000, await Scalar(rows, "select count(*) from tasks"));
        await using (var second = await Start(home, database, port, simulator))
        {
            await Eventually.True("a third has been answered", Within,
                async () => await Scalar(rows, "select count(*) from tasks where state = 'Completed'") > count / 3);
            await second.Kill();
        }

        var left = await Scalar(rows, "select count(*) from tasks where ended_at is null");
        await using var third = await Start(home, database, port, simulator);
        await Eventually.True("the batch is completed", Within,
            async () => (await client.Get($"/v1/batches/{batch}").Body(200)).Text("status") == "completed");

        var ended = await client.Get($"/v1/batches/{batch}").Body(200);
        var (output, errors) = (await client.Lines(ended, "output_file_id"), await client.Lines(ended, "error_file_id"));
        // One in a hundred: a model that nobody has, or a parameter that is none.
        const int broken = count / 100;
        Moments.Write($"batch: {count} lines, {left} of them open at the second kill; {output.Count} answered, {errors.Count} broken, "
            + $"{(await simulator.Statistics()).Calls} calls, {TimeProvider.System.GetElapsedTime(began).TotalSeconds:0} s");
        Assert.True(left > 0, "Nothing was open at the second kill: it proves nothing.");
        Assert.Equal((count - broken, broken), (output.Count, errors.Count));
        Assert.Equal(Enumerable.Range(0, count).Select(i => $"line-{i}").Order(StringComparer.Ordinal),
            output.Keys.Concat(errors.Keys).Order(StringComparer.Ordinal));
        Assert.Equal($$"""{"total":{{count}},"completed":{{count - broken}},"failed":{{broken}}}""",
            ended.GetProperty("request_counts").GetRawText());
        Assert.All(output, line => Assert.Contains("[answer to #",
            line.Value.GetProperty("response").GetProperty("body").GetProperty("choices")[0].GetProperty("message").Text("content"),
            StringComparison.Ordinal));
        // Twice was called only what was on its way at the kill.
        Assert.InRange((await simulator.Statistics()).Calls, count - broken, count - broken + 256);
        Directory.Delete(home, recursive: true);
    }

    private static async Task<ProcessUnderTest> Start(string home, string database, int port, SimulatorProcess simulator)
    {
        var process = ProcessUnderTest.StartDotnet(BuiltPrograms.Embedded, [], new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["LLMQUEUE_HOME"] = home, ["DATABASE_URL"] = database,
            ["LLMQUEUE_URL"] = $"http://127.0.0.1:{port.ToString(CultureInfo.InvariantCulture)}",
            ["CATALOGUE_PATH"] = Path.Combine(home, "catalogue.json"),
            ["GROQ_API_KEY"] = "sk-batch-1", ["GROQ_BASE_URL"] = simulator.BaseUrl, ["WORKER_GONE_AFTER_SECONDS"] = "3",
            ["RESCUE_EVERY_SECONDS"] = "1",
        });
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        await Eventually.True("the queue is ready", TimeSpan.FromSeconds(60),
            async () => (await client.GetAsync("/health/ready", Cancel)).IsSuccessStatusCode);
        return process;
    }

    private static async Task<long> Scalar(NpgsqlDataSource rows, string sql)
    {
        await using var command = rows.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync(Cancel))!;
    }

    private static async Task Execute(NpgsqlDataSource rows, string sql)
    {
        await using var command = rows.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Cancel);
    }
}
