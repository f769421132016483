namespace LlmQueue.Hosting.Settings;

/// <summary>The broker, with its parts decoded.</summary>
public sealed record RabbitMqAddress(string Host, int Port, string VirtualHost, string User, string Password, bool Tls)
{
    public override string ToString() => $"{(Tls ? "amqps" : "amqp")}://{User}@{Host}:{Port}/{Uri.EscapeDataString(VirtualHost)}";
}

/// <summary>The settings of the installation, from its environment and <c>.env</c>, checked once at start.</summary>
public sealed record QueueSettings
{
    /// <summary>An Npgsql connection string; null means the private PostgreSQL in <see cref="DataFolder"/>.</summary>
    public string? DatabaseUrl { get; init; }

    /// <summary>The broker's URL, its parts encoded; null means the in-memory bus.</summary>
    public Uri? RabbitMqUrl { get; init; }

    /// <summary>The same, decoded.</summary>
    public RabbitMqAddress? RabbitMq { get; init; }

    public required string DataFolder { get; init; }
    public required Uri ListenUrl { get; init; }
    public required string CataloguePath { get; init; }

    /// <summary>By lower-case name; only those that can be called.</summary>
    public required IReadOnlyDictionary<string, ProviderSettings> Providers { get; init; }

    /// <summary>US dollars a day for the whole installation; null is unlimited.</summary>
    public decimal? DailyBudgetUsd { get; init; }

    /// <summary>Empty: only this machine may call, as tenant <c>default</c>.</summary>
    public IReadOnlyList<ApiToken> Tokens { get; init; } = [];

    /// <summary>What calls to a tenant's addresses are signed with; two of one tenant while it exchanges them.</summary>
    public IReadOnlyList<WebhookSecret> WebhookSecrets { get; init; } = [];

    /// <summary>Hosts of one's own network that tenants' addresses may lead to.</summary>
    public IReadOnlyList<string> PrivateHosts { get; init; } = [];

    /// <summary>Requests a minute that each tenant may make of the API; null is unlimited.</summary>
    public int? RequestsPerMinute { get; init; }

    /// <summary>Empty where the tenant has none: nobody is called for it.</summary>
    public IReadOnlyList<byte[]> WebhookSecretsOf(string tenant) => [.. WebhookSecrets.Where(s => s.Tenant == tenant).Select(s => s.Key)];

    /// <summary>As <c>provider:model</c>; null means the catalogue's pool.</summary>
    public IReadOnlyList<string>? SummaryModels { get; init; }

    /// <summary>As <c>provider:model</c>; null means the catalogue's.</summary>
    public IReadOnlyList<string>? SynthesisModels { get; init; }

    /// <summary>What is not wrong but probably not meant, a sentence each; said once at start.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>No provider can be called: the simulated one takes their place.</summary>
    public bool NoKeys => Providers.Count == 0;

    // A record prints its members, and a connection string has a password.
    public override string ToString() =>
        $"database {(DatabaseUrl is null ? "private" : "given")}, bus {(RabbitMq is null ? "in memory" : RabbitMq)}, API {ListenUrl}, "
            + $"providers {(NoKeys ? "none" : string.Join(", ", Providers.Values))}";

    /// <param name="variables">Names as in the environment; an empty value counts as left out.</param>
    /// <param name="homeFolder">The project's folder, against which relative paths are read.</param>
    /// <exception cref="SettingsException">At least one value is wrong; a sentence for each.</exception>
    public static QueueSettings Read(IReadOnlyDictionary<string, string?> variables, string homeFolder)
    {
        var reader = new SettingsReader(variables);
        var broker = ServerUrls.Broker(reader);
        var settings = new QueueSettings
        {
            DatabaseUrl = ServerUrls.Database(reader),
            RabbitMqUrl = broker?.Url,
            RabbitMq = broker?.Address,
            DataFolder = Path.GetFullPath(reader.Text("LLMQUEUE_DATA") ?? ".data", homeFolder),
            ListenUrl = ServerUrls.Listen(reader),
            CataloguePath = Path.GetFullPath(reader.Text("CATALOGUE_PATH") ?? "catalogue.json", homeFolder),
            Providers = ProviderVariables.Read(reader),
            DailyBudgetUsd = reader.Amount("BUDGET_DAILY_USD"),
            Tokens = ApiTokens.Read(reader),
            WebhookSecrets = WebhookSecretsReader.Read(reader),
            PrivateHosts = reader.Text("LLMQUEUE_PRIVATE_HOSTS")
                ?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                ?? [],
            RequestsPerMinute = reader.Count("LLMQUEUE_REQUESTS_PER_MINUTE"),
            SummaryModels = ProviderVariables.Models(reader, ("GROQ_SUMMARY_MODELS", "groq"), ("OPENAI_SUMMARY_MODELS", "openai")),
            SynthesisModels = ProviderVariables.Models(reader, ("SYNTHESIS_MODEL_GROQ", "groq"), ("SYNTHESIS_MODEL_OPENAI", "openai")),
        };
        if (settings.Tokens.Count == 0 && !settings.ListenUrl.IsLoopback)
            reader.Warn($"LLMQUEUE_URL is {settings.ListenUrl} but LLMQUEUE_TOKENS is not set: calls from other machines are refused. "
                + "Set LLMQUEUE_TOKENS to 'name:secret' to let them in.");
        VariableNames.WarnOfUnknown(reader);
        reader.ThrowIfAny();
        return settings with { Warnings = reader.Warnings };
    }

    /// <summary>The file <c>.env</c> of the folder, and over it the real environment.</summary>
    /// <exception cref="SettingsException">The file is there and cannot be read.</exception>
    public static IReadOnlyDictionary<string, string?> Variables(string homeFolder) => EnvironmentFile.Read(homeFolder);
}

/// <summary>Settings are invalid: one sentence a problem, naming the variable, what was found and what is allowed.</summary>
public sealed class SettingsException(IReadOnlyList<string> problems) : Exception(string.Join('\n', problems))
{
    public IReadOnlyList<string> Problems { get; } = problems;
}
