using System.Text.Json;

namespace LlmQueue.Tests.Harness;

/// <summary>A model for a test's catalogue; limits left out are none.</summary>
public sealed record TestModel(string Name)
{
    public string Provider { get; init; } = "groq";
    public int Context { get; init; } = 100_000;
    public int MaxOutput { get; init; } = 10_000;
    public int? Rpm { get; init; }
    public int? Rpd { get; init; }
    public long? Tpm { get; init; }
    public long? Tpd { get; init; }

    /// <summary>It reads images.</summary>
    public bool Vision { get; init; }

    /// <summary>US dollars a million tokens, of input and output alike; null is unknown.</summary>
    public decimal? Price { get; init; } = 1m;

    public int? FirstChoiceTimeoutSeconds { get; init; }

    public string Id => $"{Provider}:{Name}";
}

/// <summary>Catalogues whose one route is all their models, in order.</summary>
public static class TestCatalogue
{
    public static string Of(params TestModel[] models) => Of([], models);

    /// <param name="critics">Names of models that review drafts; they stand in no route.</param>
    /// <param name="models">The models.</param>
    public static string Of(IReadOnlyList<string> critics, params TestModel[] models) => JsonSerializer.Serialize(
        new
        {
            models = models.Select(m => new
            {
                id = m.Id, context = m.Context, maxOutput = m.MaxOutput, vision = m.Vision,
                firstChoiceTimeoutSeconds = m.FirstChoiceTimeoutSeconds ?? 10,
                limits = Given(("rpm", m.Rpm), ("rpd", m.Rpd), ("tpm", m.Tpm), ("tpd", m.Tpd)),
                price = Given(("inputUsdPerMillion", m.Price), ("outputUsdPerMillion", m.Price)),
            }),
            routes = new[]
            {
                new
                {
                    task = "any", complexity = "any", models = models.Where(m => !critics.Contains(m.Name) && !m.Vision).Select(m => m.Id),
                },
            },
            passes = critics.Count == 0 ? null : new { critique = models.Where(m => critics.Contains(m.Name)).Select(m => m.Id) },
            pools = new { summary = models.Select(m => m.Id), synthesis = models.Select(m => m.Id) },
        });

    private static Dictionary<string, object> Given(params (string Name, object? Value)[] values) =>
        values.Where(v => v.Value is not null).ToDictionary(v => v.Name, v => v.Value!, StringComparer.Ordinal);
}

/// <summary>One simulator for the tests of a class, which run one after the other: each begins with <see cref="Fresh"/>.</summary>
public sealed class SimulatorFixture : IAsyncLifetime
{
    private SimulatorProcess simulator = null!;

    public async ValueTask InitializeAsync() => simulator = await SimulatorProcess.Start();

    public ValueTask DisposeAsync() => simulator.DisposeAsync();

    /// <summary>No faults, an empty log, full limits, no latency.</summary>
    public async Task<SimulatorProcess> Fresh()
    {
        await simulator.Reset();
        return simulator;
    }
}
