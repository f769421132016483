using LlmQueue.Embedded;
using LlmQueue.Tests.Api;
using Npgsql;

namespace LlmQueue.Tests.Embedded;

public sealed class PrivatePostgresTests : IAsyncDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("llmqueue-private-").FullName;
    private readonly List<string> said = [];
    private readonly List<PrivatePostgres> started = [];

    [Fact]
    public async Task Keeps_its_data_from_one_start_to_the_next()
    {
        var postgres = await Start();
        await Execute(postgres, "create table page (id int); insert into page values (1)");
        await postgres.Stop();

        postgres = await Start();

        Assert.Equal(1L, await Execute(postgres, "select count(*) from page"));
        Assert.Single(said, line => line.Contains("was set up", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Commits_durably_and_listens_on_no_network_port()
    {
        var postgres = await Start();

        Assert.Equal("on on", await Execute(postgres, "select current_setting('fsync') || ' ' || current_setting('synchronous_commit')"));
        Assert.Equal("", await Execute(postgres, "select current_setting('listen_addresses')"));
    }

    [Fact]
    public async Task Refuses_a_second_process_and_names_the_first()
    {
        await Start();

        var problem = await Assert.ThrowsAnyAsync<InvalidOperationException>(Start);

        Assert.Contains($"process {Environment.ProcessId}", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_data_of_another_major_version()
    {
        await (await Start()).Stop();
        await File.WriteAllTextAsync(Path.Combine(folder, "postgresql", "data", "PG_VERSION"), "9\n",
            TestContext.Current.CancellationToken);

        var problem = await Assert.ThrowsAsync<InvalidOperationException>(Start);

        Assert.Contains("was made by PostgreSQL 9", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Takes_over_the_server_that_a_killed_process_left_running()
    {
        var first = await Start();
        await Execute(first, "create table page (id int); insert into page values (1)");
        // What a kill -9 of our process does to the folder: the operating system lets go of the lock, and nothing else happens.
        first.Abandon();

        var second = await Start();

        Assert.Contains(said, line => line.Contains("taking it over", StringComparison.Ordinal));
        Assert.Equal(1L, await Execute(second, "select count(*) from page"));
    }

    [Fact]
    public async Task Recovers_when_the_server_was_killed_too()
    {
        var first = await Start();
        await Execute(first, "create table page (id int); insert into page values (1)");
        var server = (await File.ReadAllLinesAsync(Path.Combine(folder, "postgresql", "data", "postmaster.pid"),
            TestContext.Current.CancellationToken))[0];
        using (var process = System.Diagnostics.Process.GetProcessById(
            int.Parse(server, System.Globalization.CultureInfo.InvariantCulture)))
        {
            process.Kill();
        }

        first.Abandon();

        Assert.Equal(1L, await Execute(await Start(), "select count(*) from page"));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var postgres in started)
        {
            await postgres.Stop();
        }

        Directory.Delete(folder, recursive: true);
    }

    private async Task<PrivatePostgres> Start()
    {
        var postgres = await PrivatePostgres.Start(folder, said.Add, TestContext.Current.CancellationToken);
        started.Add(postgres);
        return postgres;
    }

    private static async Task<object?> Execute(PrivatePostgres postgres, string statement)
    {
        await using var connection = new NpgsqlConnection(postgres.ConnectionString + ";Pooling=false");
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = new NpgsqlCommand(statement, connection);
        return await command.ExecuteScalarAsync(TestContext.Current.CancellationToken);
    }
}
