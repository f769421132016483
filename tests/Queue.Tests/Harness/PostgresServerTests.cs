using Npgsql;

namespace LlmQueue.Tests.Harness;

public sealed class PostgresServerTests
{
    [Fact]
    public async Task Gives_every_test_an_empty_database_of_its_own()
    {
        var server = await SharedServers.Postgres;
        var (one, other) = (await server.CreateDatabase(), await server.CreateDatabase());

        await Execute(one, "create table page (id int)");

        Assert.Equal(0L, await Execute(other, "select count(*) from pg_tables where schemaname = 'public'"));
    }

    [Fact]
    public async Task Keeps_what_was_committed_across_a_restart_and_a_kill()
    {
        await using var server = await PostgresServer.StartNew();
        var database = await server.CreateDatabase();
        await Execute(database, "create table page (id int)");
        await Execute(database, "insert into page values (1)");

        await server.Restart();
        await Execute(database, "insert into page values (2)");

        await server.Kill();
        Assert.False(server.IsRunning);
        await server.Start();

        Assert.Equal(2L, await Execute(database, "select count(*) from page"));
    }

    private static async Task<object?> Execute(string database, string statement)
    {
        // A pooled connection may be from before the restart, and that is not what is tested here.
        await using var connection = new NpgsqlConnection(database + ";Pooling=false");
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = new NpgsqlCommand(statement, connection);
        return await command.ExecuteScalarAsync(TestContext.Current.CancellationToken);
    }
}
