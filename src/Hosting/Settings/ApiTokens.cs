namespace LlmQueue.Hosting.Settings;

/// <summary><c>LLMQUEUE_TOKENS</c> and <c>LLMQUEUE_READ_TOKENS</c>: <c>name:secret</c> pairs; a secret may be given as its hash.</summary>
internal static class ApiTokens
{
    private const string Expected = "expected 'name:secret' pairs separated by commas, names of letters, digits, '-', '_' and '.', "
        + "for example 'web:s3cr3t,batch:an0ther'";

    public static IReadOnlyList<ApiToken> Read(SettingsReader reader)
    {
        var tokens = new List<ApiToken>();
        Read(reader, "LLMQUEUE_TOKENS", readsOnly: false, tokens);
        Read(reader, "LLMQUEUE_READ_TOKENS", readsOnly: true, tokens);
        return tokens;
    }

    private static void Read(SettingsReader reader, string variable, bool readsOnly, List<ApiToken> tokens)
    {
        var pairs = Pairs(reader.Text(variable));
        for (var i = 0; i < pairs.Length; i++)
        {
            var (name, secret) = Parts(pairs[i]);
            // Whatever stands there may be a secret, so its place is told instead.
            if (!IsName(name) || secret.Length == 0 || secret.Any(char.IsWhiteSpace) || !IsHashOrSecret(secret))
                reader.Refuse($"{variable}: pair {i + 1} of {pairs.Length} does not fit; {Expected}.");
            else if (tokens.Any(token => token.Name == name && token.ReadsOnly == readsOnly))
                reader.Refuse($"{variable}: the name '{name}' stands there twice; expected every name once.");
            else if (tokens.FirstOrDefault(token => token.Secret == secret) is { } same)
                reader.Refuse(
                    $"{variable}: '{name}' and '{same.Name}' have the same secret; expected a secret each, or nobody can tell them apart.");
            else
                tokens.Add(new ApiToken(name, secret, readsOnly));
        }
    }

    /// <summary>A comma at the end is no pair.</summary>
    internal static string[] Pairs(string? text)
    {
        var pairs = text?.Split(',', StringSplitOptions.TrimEntries) ?? [];
        return pairs is [_, .., ""] ? pairs[..^1] : pairs;
    }

    internal static (string Name, string Secret) Parts(string pair) =>
        pair.IndexOf(':') is var colon and >= 0 ? (pair[..colon].Trim(), pair[(colon + 1)..].Trim()) : ("", "");

    internal static bool IsName(string name) => name.Length > 0 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');

    private static bool IsHashOrSecret(string secret) =>
        !secret.StartsWith("sha256-", StringComparison.Ordinal) || (secret.Length == 71 && secret[7..].All(char.IsAsciiHexDigit));
}

/// <summary><c>LLMQUEUE_WEBHOOK_SECRETS</c>: <c>tenant:whsec_…</c> pairs.</summary>
internal static class WebhookSecretsReader
{
    private const string Start = "whsec_";

    public static IReadOnlyList<WebhookSecret> Read(SettingsReader reader)
    {
        var secrets = new List<WebhookSecret>();
        var pairs = ApiTokens.Pairs(reader.Text("LLMQUEUE_WEBHOOK_SECRETS"));
        for (var i = 0; i < pairs.Length; i++)
        {
            var (tenant, text) = ApiTokens.Parts(pairs[i]);
            var key = new byte[64];
            // Its place is told and not itself: it is a secret.
            if (!ApiTokens.IsName(tenant)
                || !text.StartsWith(Start, StringComparison.Ordinal)
                || !Convert.TryFromBase64String(text[Start.Length..], key, out var length)
                || length is < 24 or > 64)
                reader.Refuse($"LLMQUEUE_WEBHOOK_SECRETS: pair {i + 1} of {pairs.Length} does not fit; expected 'tenant:whsec_…' with 24 "
                    + "to 64 bytes in base64, for example from: echo \"whsec_$(openssl rand -base64 32)\".");
            else
                secrets.Add(new WebhookSecret(tenant, key[..length]));
        }

        return secrets;
    }
}
