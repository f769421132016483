namespace LlmQueue.Worker.Calling.Providers;

/// <summary>The registry of providers: each is found by its class, and needs no line anywhere else.</summary>
public static class ProviderRegistry
{
    private static readonly Dictionary<string, OpenAiCompatibleProvider> ByName = typeof(OpenAiCompatibleProvider).Assembly.GetTypes()
        .Where(type => type.BaseType == typeof(OpenAiCompatibleProvider))
        .Select(type => (OpenAiCompatibleProvider)Activator.CreateInstance(type)!)
        .OrderBy(provider => provider.Name, StringComparer.Ordinal)
        .ToDictionary(provider => provider.Name, StringComparer.Ordinal);

    public static IReadOnlyCollection<OpenAiCompatibleProvider> All => ByName.Values;

    /// <summary>By its lower-case name; one without a file of its own does everything as OpenAI's API is documented.</summary>
    public static OpenAiCompatibleProvider Of(string name) => ByName.GetValueOrDefault(name) ?? new OpenAiCompatibleProvider(name);
}
