namespace LlmQueue.Hosting.Settings;

/// <summary>One key of a provider. Calls are limited by <paramref name="Organisation"/>, counted by <paramref name="Alias"/>.</summary>
/// <param name="Provider">Lower case: <c>groq</c>.</param>
/// <param name="Number">1 for <c>GROQ_API_KEY</c>, 2 for <c>GROQ_API_KEY_2</c>.</param>
/// <param name="Alias"><c>groq-1</c>: how the key is called wherever anyone can read it.</param>
/// <param name="Organisation">Keys of one organisation share its limits; the alias where nobody said.</param>
/// <param name="Secret">The key itself; goes into the Authorization header and nowhere else.</param>
public sealed record ProviderKey(string Provider, int Number, string Alias, string Organisation, string Secret)
{
    public override string ToString() => $"{Alias} of {Organisation}";
}

/// <summary>A provider that can be called.</summary>
/// <param name="Name">Lower case, as in a model's id.</param>
/// <param name="BaseUrl">The OpenAI-compatible root, without a slash at the end.</param>
/// <param name="Keys">At least one.</param>
public sealed record ProviderSettings(string Name, Uri BaseUrl, IReadOnlyList<ProviderKey> Keys)
{
    public override string ToString() => $"{Name} at {BaseUrl}, {Keys.Count} keys";
}
