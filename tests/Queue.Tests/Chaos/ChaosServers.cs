using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.Chaos;

/// <summary>
/// A database and a broker that belong to one class of tests: they are stopped and killed, so nobody else may depend on them.
/// </summary>
public sealed class ChaosServers : IAsyncLifetime
{
    public PostgresServer Postgres { get; private set; } = null!;

    public RabbitServer Rabbit { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        var postgres = PostgresServer.StartNew();
        var rabbit = RabbitServer.StartNew();
        try
        {
            (Postgres, Rabbit) = (await postgres, await rabbit);
        }
        catch (InvalidOperationException missing) when (!SharedServers.AreRequired)
        {
            Assert.Skip(missing.Message);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Rabbit is not null)
        {
            await Rabbit.DisposeAsync();
        }

        if (Postgres is not null)
        {
            await Postgres.DisposeAsync();
        }
    }
}
