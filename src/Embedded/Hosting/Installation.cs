using LlmQueue.Catalogue;
using LlmQueue.Hosting.Settings;
using LlmQueue.Worker;

namespace LlmQueue.Embedded.Hosting;

/// <summary>The settings of this installation, read and checked before anything starts.</summary>
internal sealed record Installation(string Home, QueueSettings Settings, ModelCatalogue Catalogue, WorkerOptions Options)
{
    /// <summary>How much faster than the catalogue the simulated provider is, so that a demonstration takes a minute.</summary>
    public const int SimulatedScale = 10;

    /// <summary>The provider in whose place it stands.</summary>
    public const string SimulatedName = "groq";

    /// <summary>Answers are made up by the simulator that came along.</summary>
    public bool IsSimulated { get; init; }

    /// <summary>Nobody else can work on this database, and no message survives this process.</summary>
    public bool IsAlone => Settings.DatabaseUrl is null && Settings.RabbitMq is null;

    public static Installation Read()
    {
        var home = Environment.GetEnvironmentVariable("LLMQUEUE_HOME") is { Length: > 0 } folder ? folder : Environment.CurrentDirectory;
        var variables = QueueSettings.Variables(home);
        var settings = QueueSettings.Read(variables, home);
        // Made-up answers and real ones never share a database: open work of a demonstration must not be sent to a paid
        // provider once a key is set.
        if (settings.NoKeys)
            settings = settings with { DataFolder = Path.Combine(settings.DataFolder, "simulated") };
        return new Installation(home, settings, ModelCatalogue.Load(settings.CataloguePath), WorkerVariables.Read(variables));
    }

    /// <summary>
    /// One key of Groq, leading to the simulator: the other providers of the pools have limits so wide that nothing would ever wait.
    /// </summary>
    public Installation With(SimulatedProvider simulator)
    {
        const string name = SimulatedName;
        var providers = new Dictionary<string, ProviderSettings>(StringComparer.Ordinal)
        {
            [name] = new(name, simulator.BaseUrl, [new ProviderKey(name, 1, $"{name}-1", $"{name}-1", "simulated")]),
        };
        return this with
        {
            IsSimulated = true, Settings = Settings with { Providers = providers }, Catalogue = Catalogue.WithLimitsTimes(SimulatedScale),
        };
    }

    /// <summary>
    /// The catalogue of a process that runs on: what is edited in the file counts without a restart, for the simulated
    /// provider as for real ones.
    /// </summary>
    public CurrentCatalogue Current() =>
        new(Catalogue, new CatalogueFile(Settings.CataloguePath, IsSimulated ? edited => edited.WithLimitsTimes(SimulatedScale) : null));

    /// <summary>Where the person can look up what a command did.</summary>
    public string LogFile => Path.Combine(Settings.DataFolder, "llmqueue.log");
}
