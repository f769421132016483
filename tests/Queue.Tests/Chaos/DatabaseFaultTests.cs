using Npgsql;

namespace LlmQueue.Tests.Chaos;

public sealed class DatabaseFaultTests(ChaosServers servers) : IClassFixture<ChaosServers>
{
    /// <summary>
    /// The database is stopped, as an operator stops it, and started again. What was committed is there, what was not is committed afterwards;
    /// every task ends exactly once, and not one call is made twice: a worker keeps the answers it has until the database takes them.
    /// </summary>
    [Fact]
    public async Task Loses_and_doubles_nothing_when_the_database_is_restarted()
    {
        await using var installation = await Installation.Start(servers);
        await installation.Run((150, async () =>
        {
            await servers.Postgres.Stop();
            await servers.Postgres.Start();
        }));
        await Invariant.Check(installation);
    }

    /// <summary>The same when the database dies at once, in the middle of whatever it is doing, and recovers from its log.</summary>
    [Fact]
    public async Task Loses_and_doubles_nothing_when_the_database_is_killed()
    {
        await using var installation = await Installation.Start(servers);
        await installation.Run((150, servers.Postgres.Restart));
        await Invariant.Check(installation);
    }

    /// <summary>The same when the database stays but cuts every connection, again and again, in the middle of commits whose outcome nobody is told.</summary>
    [Fact]
    public async Task Loses_and_doubles_nothing_when_every_connection_is_cut_again_and_again()
    {
        await using var installation = await Installation.Start(servers);
        var every = Installation.RunsLong ? 10 : 60;
        var cuts = 0L;
        async Task Cut() => cuts += await CutEveryConnection(installation.Database);
        await installation.Run([.. Enumerable.Range(1, 400 / every).Select(cut => (cut * every, (Func<Task>)Cut))]);
        Assert.InRange(cuts, 400 / every, long.MaxValue);
        await Invariant.Check(installation);
    }

    private static async Task<long> CutEveryConnection(NpgsqlDataSource database)
    {
        await using var cut = database.CreateCommand(
            $"select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and application_name <> '{Installation.OurName}'"
        );
        return (long)(await cut.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
    }
}
