using LlmQueue.Catalogue;

namespace LlmQueue.Hosting.Settings;

/// <summary>The documented variable names, and a warning about others that look like a misspelt one.</summary>
internal static class VariableNames
{
    private static readonly string[] Fixed =
    [
        "DATABASE_URL", "RABBITMQ_URL", "LLMQUEUE_DATA", "LLMQUEUE_URL", "LLMQUEUE_TOKENS", "LLMQUEUE_READ_TOKENS",
        "LLMQUEUE_WEBHOOK_SECRETS", "LLMQUEUE_PRIVATE_HOSTS", "LLMQUEUE_REQUESTS_PER_MINUTE", "CATALOGUE_PATH", "BUDGET_DAILY_USD",
        "GROQ_SUMMARY_MODELS", "OPENAI_SUMMARY_MODELS", "SYNTHESIS_MODEL_GROQ", "SYNTHESIS_MODEL_OPENAI",
    ];

    // Said by run.sh and test.sh to what they start; nobody sets these by hand, so none is suggested either.
    private static readonly string[] FromScripts =
        ["LLMQUEUE_HOME", "LLMQUEUE_SIMULATOR", "LLMQUEUE_TESTS", "LLMQUEUE_TESTS_REQUIRE_SERVERS"];

    // Other programs' names that happen to be near ours.
    private static readonly string[] Foreign = ["OPENAI_ORG_ID", "OPENAI_ORGANIZATION", "OPENAI_API_BASE", "OPENAI_BASE_URI"];

    private static readonly string[] Known =
        [
            .. Fixed,
            .. from prefix in ProviderPrefixes()
               from ending in new[] { "API_KEY", "API_KEY_2", "ORG_1", "BASE_URL" }
               select $"{prefix}_{ending}",
        ];

    private static readonly string[] Prefixes = [.. ProviderPrefixes().Select(prefix => prefix + "_"), "LLMQUEUE_"];

    public static void WarnOfUnknown(SettingsReader reader)
    {
        foreach (var name in reader.Names.Where(name => !IsKnown(name) && !FromScripts.Contains(name) && !Foreign.Contains(name)))
        {
            var near = Known.MinBy(known => NearestName.Distance(name.ToUpperInvariant(), known))!;
            var distance = NearestName.Distance(name.ToUpperInvariant(), near);
            // Ours alone begin with LLMQUEUE_; a provider's prefix is shared with its own tools, so only a near miss counts there.
            if (name.StartsWith("LLMQUEUE_", StringComparison.OrdinalIgnoreCase)
                || distance <= (Prefixes.Any(prefix => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)) ? 3 : 1))
                reader.Warn($"{name} is set but is no setting of the "
                    + $"queue{(distance <= 4 ? $"; did you mean {near}?" : "; see .env.example for the names.")}");
        }
    }

    private static bool IsKnown(string name) => Fixed.Contains(name) || ProviderPrefixes().Any(prefix => IsOf(prefix, name));

    private static bool IsOf(string prefix, string name) =>
        name == $"{prefix}_BASE_URL"
        || ProviderVariables.Number(name, $"{prefix}_API_KEY") is not null
        || (name != $"{prefix}_ORG" && ProviderVariables.Number(name, $"{prefix}_ORG") is not null);

    private static IEnumerable<string> ProviderPrefixes() => KnownProviders.All.Select(provider => provider.VariablePrefix);
}
