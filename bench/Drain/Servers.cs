using LlmQueue.Tests.Harness;

namespace LlmQueue.Bench.Drain;

/// <summary>A PostgreSQL, a RabbitMQ and a simulator of the bench's own, on free ports, in folders that go with them.</summary>
internal sealed class Servers : IAsyncDisposable
{
    private Servers(PostgresServer postgres, RabbitServer rabbit, SimulatorProcess simulator) => (Postgres, Rabbit, Simulator) = (postgres, rabbit, simulator);

    public PostgresServer Postgres { get; }

    public RabbitServer Rabbit { get; }

    public SimulatorProcess Simulator { get; }

    public static async Task<Servers> Start(Scenario scenario)
    {
        var postgres = PostgresServer.StartNew();
        var rabbit = RabbitServer.StartNew();
        var simulator = await SimulatorProcess.Start("--latency-ms", "300-600");
        var orgs = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < scenario.Organisations.Count; i++)
            orgs[Installation.Key(i)] = scenario.Organisations[i];
        await simulator.Configure(new
        {
            models = scenario.Models.Select(model => new { name = model.Model, rpm = (int?)model.RequestsPerMinute, tpm = (int?)model.TokensPerMinute, tpd = model.TokensPerDay > 0 ? model.TokensPerDay : (int?)null })
                .Append(new { name = Installation.WarmUpModel, rpm = (int?)null, tpm = (int?)null, tpd = (int?)null }),
            orgs,
            latencyMs = new[] { 300, 600 },
        });
        return new Servers(await postgres, await rabbit, simulator);
    }

    public async ValueTask DisposeAsync()
    {
        await Simulator.DisposeAsync();
        await Rabbit.DisposeAsync();
        await Postgres.DisposeAsync();
    }
}
