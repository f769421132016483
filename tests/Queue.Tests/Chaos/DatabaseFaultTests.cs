using LlmQueue.Tests.Harness;
using Npgsql;

namespace LlmQueue.Tests.Chaos;

public sealed class DatabaseFaultTests(ChaosServers servers) : IClassFixture<ChaosServers>
{
    private static readonly TimeSpan Recovered = TimeSpan.FromSeconds(10);

    /// <summary>
    /// The database is stopped, as an operator stops it, and started again. What was committed is there, what was not is committed
    /// afterwards; every task ends exactly once, and not one call is made twice: a worker keeps the answers it has until the
    /// database takes them.
    /// </summary>
    [Fact]
    public async Task Loses_and_doubles_nothing_when_the_database_is_restarted()
    {
        await using var installation = await Installation.Start(servers);
        var moments = await installation.Run((150, async () =>
        {
            await servers.Postgres.Stop();
            await servers.Postgres.Start();
        }));
        await Invariant.Check(installation);
        moments.AssertRecoveredWithin(Recovered);
    }

    /// <summary>The same when the database dies at once, in the middle of whatever it is doing, and recovers from its log.</summary>
    [Fact]
    public async Task Loses_and_doubles_nothing_when_the_database_is_killed()
    {
        await using var installation = await Installation.Start(servers);
        var moments = await installation.Run((150, servers.Postgres.Restart));
        await Invariant.Check(installation);
        moments.AssertRecoveredWithin(Recovered);
    }

    /// <summary>
    /// The same when the database stays but cuts every connection, again and again, in the middle of commits whose outcome nobody is told.
    /// </summary>
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

    /// <summary>Two connections a worker, for hundreds of tasks at once: they wait for each other, and none gives up.</summary>
    [Fact]
    public async Task Loses_and_doubles_nothing_when_a_worker_has_hardly_a_connection()
    {
        await using var installation = await Installation.Start(servers, new Shape
        {
            Variables = (i, _) => new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["DATABASE_URL"] = new NpgsqlConnectionStringBuilder(i.DatabaseUrl) { MaxPoolSize = 2 }.ConnectionString,
            },
        });
        await installation.Run();
        await Invariant.Check(installation);
    }

    /// <summary>
    /// The server has no connection left for the workers, and they lose those they have: they wait until there are some again.
    /// </summary>
    [Fact]
    public async Task Loses_and_doubles_nothing_when_the_server_has_no_connection_left()
    {
        await using var installation = await Installation.Start(servers, new Shape
        {
            Variables = (i, worker) =>
                new Dictionary<string, string?>(StringComparer.Ordinal) { ["DATABASE_URL"] = AsLimitedUser(i, create: worker == 0) },
        });
        var moments = await installation.Run((150, async () =>
        {
            await Execute(installation.Database, "alter role limited connection limit 0");
            Assert.InRange(await CutEveryConnection(installation.Database), 1, long.MaxValue);
            await Eventually.True("both workers say so", TimeSpan.FromSeconds(30), () => installation.Workers.All(
                worker => worker.Output.Any(line => line.Contains("too many connections", StringComparison.Ordinal))));
            await Execute(installation.Database, "alter role limited connection limit -1");
        }));
        await Invariant.Check(installation);
        moments.AssertRecoveredWithin(Recovered);
    }

    /// <summary>
    /// A transaction that somebody left open sees every old row, so that none of them can be cleared away: the tables grow, and
    /// nothing else happens.
    /// </summary>
    [Fact]
    public async Task Loses_and_doubles_nothing_while_a_transaction_pins_old_rows()
    {
        await using var installation = await Installation.Start(servers);
        await using var connection = await installation.Database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using var pinning = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead,
            TestContext.Current.CancellationToken);
        await using (var look = new NpgsqlCommand("select count(*) from tasks", connection, pinning))
        {
            Assert.Equal(0L, await look.ExecuteScalarAsync(TestContext.Current.CancellationToken));
        }

        await installation.Run();
        await using (var still = new NpgsqlCommand("select count(*) from tasks", connection, pinning))
        {
            Assert.Equal(0L, await still.ExecuteScalarAsync(TestContext.Current.CancellationToken));
        }

        await Invariant.Check(installation);
    }

    /// <summary>
    /// A transaction that somebody left open holds the rows of the limits, so that nobody can reserve or settle: once it is
    /// gone, everything goes on.
    /// </summary>
    [Fact]
    public async Task Loses_and_doubles_nothing_when_somebody_holds_the_rows_of_the_limits()
    {
        await using var installation = await Installation.Start(servers);
        var moments = await installation.Run((150, async () =>
        {
            await using var connection = await installation.Database.OpenConnectionAsync(TestContext.Current.CancellationToken);
            await using var holding = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
            await using var hold = new NpgsqlCommand("select id from buckets order by id for update; select pg_sleep(5)", connection,
                holding);
            await hold.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        }));
        await Invariant.Check(installation);
        moments.AssertRecoveredWithin(Recovered);
    }

    /// <summary>An owner of the database who is no superuser: those are let in above every limit.</summary>
    private static string AsLimitedUser(Installation installation, bool create)
    {
        var address = new NpgsqlConnectionStringBuilder(installation.DatabaseUrl);
        if (create)
        {
            using var owner = installation.Database.CreateCommand(
                $"create role limited login; alter database {address.Database} owner to limited");
            owner.ExecuteNonQuery();
        }

        address.Username = "limited";
        return address.ConnectionString;
    }

    private static async Task Execute(NpgsqlDataSource database, string sql)
    {
        await using var command = database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
    }

    private static async Task<long> CutEveryConnection(NpgsqlDataSource database)
    {
        await using var cut = database.CreateCommand(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() "
                + $"and application_name <> '{Installation.OurName}'"
        );
        return (long)(await cut.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
    }
}
