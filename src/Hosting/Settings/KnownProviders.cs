namespace LlmQueue.Hosting.Settings;

/// <summary>
/// A provider that settings accept keys for. What is peculiar to its wire is in the worker's <c>Calling/Providers</c>, one file a provider.
/// </summary>
/// <param name="Name">Lower case, as in a model's id; in capitals it begins the provider's variables.</param>
/// <param name="BaseUrl">Its OpenAI-compatible root, without a slash at the end, where <c>…_BASE_URL</c> names no other.</param>
/// <param name="NeedsKey">False where an address alone is enough to call it.</param>
public sealed record KnownProvider(string Name, string BaseUrl, bool NeedsKey = true)
{
    /// <summary><c>GROQ</c> of <c>GROQ_API_KEY</c>.</summary>
    public string VariablePrefix => Name.ToUpperInvariant();

    /// <summary>The variable that makes the provider usable.</summary>
    public string FirstVariable => NeedsKey ? $"{VariablePrefix}_API_KEY" : $"{VariablePrefix}_BASE_URL";
}

/// <summary>
/// The list of providers. Both hosts read settings and the API does not reference the worker, so name and address stand here; everything
/// else finds a provider by its name.
/// </summary>
public static class KnownProviders
{
    /// <summary>In the order in which settings speak of them.</summary>
    public static IReadOnlyList<KnownProvider> All { get; } =
    [
        new("groq", "https://api.groq.com/openai/v1"),
        new("openrouter", "https://openrouter.ai/api/v1"),
        new("mistral", "https://api.mistral.ai/v1"),
        new("gemini", "https://generativelanguage.googleapis.com/v1beta/openai"),
        new("anthropic", "https://api.anthropic.com/v1"),
        new("openai", "https://api.openai.com/v1"),
        // Ollama's address; llama.cpp, vLLM and LM Studio are reached by LOCAL_BASE_URL.
        new("local", "http://127.0.0.1:11434/v1", NeedsKey: false),
    ];

    /// <summary>Null for a name that is no known provider's.</summary>
    public static KnownProvider? Find(string name) => All.FirstOrDefault(provider => provider.Name == name);
}
