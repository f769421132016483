using LlmQueue.Store.Catalogue;
using LlmQueue.Store.Settings;
using LlmQueue.Worker;

namespace LlmQueue.Embedded.Hosting;

/// <summary>What this process was told, read and checked before anything starts.</summary>
internal sealed record Installation(string Home, QueueSettings Settings, ModelCatalogue Catalogue, WorkerOptions Options)
{
    /// <summary>How much faster than the catalogue the simulated provider is, so that a demonstration takes a minute.</summary>
    public const int SimulatedScale = 10;

    /// <summary>Answers are made up by the simulator that came along.</summary>
    public bool IsSimulated { get; init; }

    /// <summary>Nobody else can work on this database, and no message survives this process.</summary>
    public bool IsAlone => Settings.DatabaseUrl is null && Settings.RabbitMq is null;

    public static Installation Read()
    {
        var home = Environment.GetEnvironmentVariable("LLMQUEUE_HOME") is { Length: > 0 } folder ? folder : Environment.CurrentDirectory;
        var variables = QueueSettings.Variables(home);
        var settings = QueueSettings.Read(variables, home);
        return new Installation(home, settings, ModelCatalogue.Load(settings.CataloguePath), WorkerVariables.Read(variables));
    }

    /// <summary>A key for every provider of the catalogue's pools, all of them leading to the simulator.</summary>
    public Installation With(SimulatedProvider simulator)
    {
        var names = Catalogue.SummaryPool.Concat(Catalogue.SynthesisModels).Select(id => id.Provider).Prepend("groq").Distinct();
        var providers = names.ToDictionary(name => name, name => new ProviderSettings(name, simulator.BaseUrl, [new ProviderKey(name, 1, $"{name}-1", $"{name}-1", "simulated")]));
        return this with { IsSimulated = true, Settings = Settings with { Providers = providers }, Catalogue = Catalogue.WithLimitsTimes(SimulatedScale) };
    }

    /// <summary>Where the person can look up what a command did.</summary>
    public string LogFile => Path.Combine(Settings.DataFolder, "llmqueue.log");
}
