namespace LlmQueue.Worker.Calling.Reading;

/// <summary>What a provider wants said otherwise than the rest. Everything else of a request is the same for all.</summary>
/// <param name="LongestAnswer">What the longest answer is called.</param>
/// <param name="TakesTemperature">False where models refuse any but their own.</param>
public sealed record ProviderQuirks(string LongestAnswer = "max_tokens", bool TakesTemperature = true)
{
    private static readonly ProviderQuirks None = new();

    private static readonly Dictionary<string, ProviderQuirks> Of = new(StringComparer.Ordinal)
    {
        // Its reasoning models refuse max_tokens ("Use 'max_completion_tokens' instead.", unsupported_parameter) and any temperature but 1 (unsupported_value); the others take both.
        ["openai"] = new(LongestAnswer: "max_completion_tokens", TakesTemperature: false),
    };

    public static ProviderQuirks For(string provider) => Of.GetValueOrDefault(provider) ?? None;
}
