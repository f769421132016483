using System.Globalization;
using LlmQueue.Tests.Harness;
using Npgsql;

namespace LlmQueue.Bench.Throughput;

/// <summary>The real servers and the provider that answers at once; shared by all contenders, so that each meets the same.</summary>
internal sealed class Servers : IAsyncDisposable
{
    private Servers(PostgresServer postgres, RabbitServer rabbit, SimulatorProcess simulator) =>
        (Postgres, Rabbit, Simulator, _somewhere) = (postgres, rabbit, simulator, new Lazy<Task<string>>(postgres.CreateDatabase));

    private readonly Lazy<Task<string>> _somewhere;

    public PostgresServer Postgres { get; }

    public RabbitServer Rabbit { get; }

    public SimulatorProcess Simulator { get; }

    public static async Task<Servers> Start()
    {
        var postgres = PostgresServer.StartNew();
        var rabbit = RabbitServer.StartNew();
        var simulator = SimulatorProcess.Start("--unlimited");
        return new Servers(await postgres, await rabbit, await simulator);
    }

    /// <summary>What others have written goes to the disk now, and not while the next is measured; the provider counts from nothing.</summary>
    public async Task Settle()
    {
        await using var connection = new NpgsqlConnection(await _somewhere.Value);
        await connection.OpenAsync();
        await using var checkpoint = new NpgsqlCommand("checkpoint", connection);
        await checkpoint.ExecuteNonQueryAsync();
        await Simulator.Reset();
    }

    /// <summary>The database as programs that are not .NET are told of it.</summary>
    public static string Url(string database)
    {
        var settings = new NpgsqlConnectionStringBuilder(database);
        return string.Create(CultureInfo.InvariantCulture, $"postgres://{settings.Username}@{settings.Host}:{settings.Port}/{settings.Database}");
    }

    public async ValueTask DisposeAsync()
    {
        await Simulator.DisposeAsync();
        await Rabbit.DisposeAsync();
        await Postgres.DisposeAsync();
    }
}
