using System.Globalization;
using System.Text.Json;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Bench.Drain;

/// <summary>The queue as it is installed: a database, a virtual host, a catalogue, and so many worker processes. A new one for each run.</summary>
internal sealed class Installation : IAsyncDisposable
{
    public const string WarmUpModel = "warm-up";
    private static readonly TimeSpan StartsWithin = TimeSpan.FromSeconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("llmqueue-drain-").FullName;
    private readonly List<ProcessUnderTest> _workers = [];

    public string Rabbit { get; private init; } = "";

    public string Database { get; private init; } = "";

    public static string Key(int number) => string.Create(CultureInfo.InvariantCulture, $"sk-drain-{number + 1}");

    public static async Task<Installation> Start(Servers servers, Scenario scenario, int workers)
    {
        var installation = new Installation { Rabbit = await servers.Rabbit.CreateVirtualHost(), Database = await servers.Postgres.CreateDatabase() };
        var catalogue = Path.Combine(installation._folder, "catalogue.json");
        await File.WriteAllTextAsync(catalogue, Catalogue(scenario));
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["DATABASE_URL"] = installation.Database, ["RABBITMQ_URL"] = installation.Rabbit, ["CATALOGUE_PATH"] = catalogue, ["LLMQUEUE_HOME"] = installation._folder,
            ["GROQ_BASE_URL"] = servers.Simulator.BaseUrl,
        };
        for (var i = 0; i < scenario.Organisations.Count; i++)
        {
            environment[i == 0 ? "GROQ_API_KEY" : $"GROQ_API_KEY_{i + 1}"] = Key(i);
            environment[$"GROQ_ORG_{i + 1}"] = scenario.Organisations[i];
        }

        for (var i = 0; i < workers; i++)
        {
            installation._workers.Add(ProcessUnderTest.StartDotnet(BuiltPrograms.Worker, [], environment));
            await installation._workers[^1].WaitForLine("The worker starts", StartsWithin);
        }

        return installation;
    }

    public string Tail() => string.Join("\n\n", _workers.Select(worker => worker.Tail()));

    public async ValueTask DisposeAsync()
    {
        foreach (var worker in _workers)
            worker.Terminate();
        foreach (var worker in _workers)
            await worker.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static string Catalogue(Scenario scenario)
    {
        long? Claimed(int limit) => limit > 0 ? (long)(limit * scenario.ClaimedShare) : null;
        object Entry(string name, object limits) => new { id = $"groq:{name}", context = 131_072, maxOutput = 8192, limits, price = new { inputUsdPerMillion = 0.1, outputUsdPerMillion = 0.4 } };
        return JsonSerializer.Serialize(new
        {
            models = scenario.Models.Select(model => Entry(model.Model, Limited(Claimed(model.RequestsPerMinute)!.Value, Claimed(model.TokensPerMinute)!.Value, Claimed(model.TokensPerDay))))
                .Append(Entry(WarmUpModel, new { })),
            routes = new[] { new { task = "any", complexity = "any", models = scenario.Models.Select(model => $"groq:{model.Model}") } },
        });
    }

    private static object Limited(long rpm, long tpm, long? tpd) => tpd is null ? new { rpm, tpm } : new { rpm, tpm, tpd = tpd.Value };
}
