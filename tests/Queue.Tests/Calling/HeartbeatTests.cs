using LlmQueue.Hosting;
using LlmQueue.Storage;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker;
using LlmQueue.Worker.Leases;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace LlmQueue.Tests.Calling;

/// <summary>A worker that lives is heard, whatever has happened to its connections.</summary>
public sealed class HeartbeatTests
{
    private const string Pool = "beats";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task One_beat_gets_through_although_every_idle_connection_is_broken()
    {
        var database = await (await SharedServers.Postgres).CreateDatabase();
        await using var store = new ServiceCollection().AddLogging().AddMetrics().AddQueueStorage(database).BuildServiceProvider();
        await store.PrepareStorage(Cancel);
        await using var pool = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(database) { ApplicationName = Pool }.ConnectionString);
        var connections = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => pool.OpenConnectionAsync(Cancel).AsTask()));
        foreach (var connection in connections)
        {
            await connection.DisposeAsync();
        }

        await using var cut = store.GetRequiredService<NpgsqlDataSource>()
            .CreateCommand($"select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = '{Pool}'");
        Assert.Equal(10L, await cut.ExecuteScalarAsync(Cancel));
        var heartbeat = new Heartbeat(pool, new WorkerIdentity(), new WorkerOptions(), TimeProvider.System, NullLogger<Heartbeat>.Instance);

        await heartbeat.Beat(Cancel);

        Assert.True(heartbeat.IsHeard);
    }
}
