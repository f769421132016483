using System.Diagnostics;
using LlmQueue.Tests.Harness;
using Npgsql;

namespace LlmQueue.Tests.Admission;

/// <summary>Nobody polls: a worker with nothing to do leaves the database alone.</summary>
public sealed class IdleTests
{
    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task With_nothing_due_the_database_sees_fewer_than_five_statements_a_second_a_worker()
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
            ["DATABASE_URL"] = database, ["RABBITMQ_URL"] = rabbit, ["LLMQUEUE_HOME"] = home, ["CATALOGUE_PATH"] = Path.Combine(home, "catalogue.json"),
            ["GROQ_API_KEY"] = "sk-idle", ["GROQ_BASE_URL"] = "http://127.0.0.1:9",
        };
        await using var one = ProcessUnderTest.StartDotnet(BuiltPrograms.Worker, [], environment);
        await one.WaitForLine("leads", TimeSpan.FromSeconds(60));
        await using var other = ProcessUnderTest.StartDotnet(BuiltPrograms.Worker, [], environment);
        await other.WaitForLine("The worker starts", TimeSpan.FromSeconds(60));

        await using var source = NpgsqlDataSource.Create(database);
        foreach (var sql in new[] { "alter system set log_statement = 'all'", "select pg_reload_conf()" })
        {
            await using var command = source.CreateCommand(sql);
            await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        }

        var before = Statements(postgres);
        var began = Stopwatch.GetTimestamp();
        await Eventually.True("the time is over", Watched * 2, () => Stopwatch.GetElapsedTime(began) > Watched);
        var aSecond = (Statements(postgres) - before) / Stopwatch.GetElapsedTime(began).TotalSeconds / Workers;

        Assert.InRange(aSecond, 0.01, 5);
        Directory.Delete(home, recursive: true);
    }

    private static int Statements(PostgresServer postgres) =>
        postgres.Output.Count(line => line.Contains("LOG:  statement: ", StringComparison.Ordinal) || line.Contains("LOG:  execute ", StringComparison.Ordinal));
}
