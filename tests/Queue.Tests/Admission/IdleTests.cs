using System.Diagnostics;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;
using Npgsql;

namespace LlmQueue.Tests.Admission;

/// <summary>Nobody polls: a worker with nothing to do leaves the database alone.</summary>
public sealed class IdleTests
{
    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task With_nothing_due_the_database_sees_fewer_than_six_statements_a_second_a_worker()
    {
        const int Workers = 2;
        // A server of its own: it writes down every statement, and those of other tests are not meant.
        await using var postgres = await PostgresServer.StartNew();
        var database = await postgres.CreateDatabase();
        var rabbit = await (await SharedServers.Rabbit).CreateVirtualHost();
        var home = Directory.CreateTempSubdirectory("llmqueue-idle-").FullName;
        await File.WriteAllTextAsync(Path.Combine(home, "catalogue.json"), """
            { "models": [ { "id": "groq:small", "context": 8000, "maxOutput": 2000, "limits": { "rpm": 30, "tpm": 8000 } } ], "routes": [ { "task": "any", "complexity": "any", "models": ["groq:small"] } ] }
            """, TestContext.Current.CancellationToken);
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["DATABASE_URL"] = database, ["RABBITMQ_URL"] = rabbit, ["LLMQUEUE_HOME"] = home,
            ["CATALOGUE_PATH"] = Path.Combine(home, "catalogue.json"),
            ["GROQ_API_KEY"] = "sk-idle", ["GROQ_BASE_URL"] = "http://127.0.0.1:9",
        };
        await using var one = ProcessUnderTest.StartDotnet(BuiltPrograms.Worker, [], environment);
        await one.WaitForLine("leads", TimeSpan.FromSeconds(60));
        await using var other = ProcessUnderTest.StartDotnet(BuiltPrograms.Worker, [], environment);
        await other.WaitForLine("The worker starts", TimeSpan.FromSeconds(60));

        // Starting is work: what a worker reads and writes once is over by then.
        await Idle(TimeSpan.FromSeconds(15));
        await using var source = NpgsqlDataSource.Create(database);
        foreach (var sql in new[] { "alter system set log_statement = 'all'", "select pg_reload_conf()" })
        {
            await using var command = source.CreateCommand(sql);
            await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        }

        var before = Statements(postgres).Count;
        var began = Stopwatch.GetTimestamp();
        await Idle(Watched);
        var seen = Statements(postgres).Skip(before).ToList();
        var aSecond = seen.Count / Stopwatch.GetElapsedTime(began).TotalSeconds / Workers;

        Assert.True(aSecond is > 0.01 and < 6, $"{aSecond:0.0} statements a second a worker; most often: {string.Join("\n", seen.CountBy(s => s[..Math.Min(s.Length, 120)]).OrderByDescending(s => s.Value).Take(12).Select(s => $"{s.Value} × {s.Key}"))}");
        Directory.Delete(home, recursive: true);
    }

    private static Task Idle(TimeSpan time)
    {
        var began = Stopwatch.GetTimestamp();
        return Eventually.True("the time is over", time * 2, () => Stopwatch.GetElapsedTime(began) > time);
    }

    private static List<string> Statements(PostgresServer postgres) =>
        [.. postgres.Output.Select(line => line[(line.IndexOf("LOG:  ", StringComparison.Ordinal) + 1)..]).Where(
            line => line.StartsWith("OG:  statement: ", StringComparison.Ordinal)
                || line.StartsWith("OG:  execute ", StringComparison.Ordinal))
            .Select(line => line[(line.IndexOf(": ", 6, StringComparison.Ordinal) + 2)..])];
}
