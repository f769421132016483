using System.Globalization;
using LlmQueue.Catalogue;

namespace LlmQueue.Hosting.Settings;

/// <summary>
/// Keys, organisations and addresses of the providers: <c>GROQ_API_KEY</c>, <c>GROQ_API_KEY_2</c>, <c>GROQ_ORG_1</c>, <c>GROQ_BASE_URL</c>.
/// </summary>
internal static class ProviderVariables
{
    // Ollama and its like ask for no key, but the client must send something and the bucket must be called something.
    private const string NoSecret = "none";

    public static Dictionary<string, ProviderSettings> Read(SettingsReader reader)
    {
        var providers = new Dictionary<string, ProviderSettings>();
        foreach (var known in KnownProviders.All)
        {
            var (name, prefix) = (known.Name, known.VariablePrefix);
            var keys = Keys(reader, known);
            var address = ServerUrls.Http(reader, $"{prefix}_BASE_URL", known.BaseUrl);
            var addressSet = reader.Text($"{prefix}_BASE_URL") is not null;
            if (keys.Count == 0 && !known.NeedsKey && addressSet)
                keys = [new ProviderKey(name, 1, $"{name}-1", reader.Text($"{prefix}_ORG_1") ?? $"{name}-1", NoSecret)];
            if (keys.Count > 0)
                providers[name] = new ProviderSettings(name, address, keys);
            else if (addressSet)
                reader.Warn($"{prefix}_BASE_URL is set but {prefix}_API_KEY is not: {name} is not used. Set a key; "
                    + "any text will do where the endpoint asks for none.");
        }
        return providers;
    }

    /// <summary>Models named by variables, each as <c>provider:model</c>; null when no variable is set.</summary>
    public static List<string>? Models(SettingsReader reader, params ReadOnlySpan<(string Variable, string Provider)> variables)
    {
        List<string>? models = null;
        foreach (var (variable, provider) in variables)
            foreach (var text in reader.Text(variable)?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                ?? [])
            {
                // A colon alone says nothing: "openai/gpt-oss-20b:free" has one and no provider.
                var colon = text.IndexOf(':');
                var model = colon > 0 && KnownProviders.Find(text[..colon]) is not null ? text : $"{provider}:{text}";
                if (!ModelId.TryParse(model, out _))
                    reader.Refuse($"{variable} has '{text}'; expected models separated by commas, as the provider calls them or as "
                        + "'provider:model', for example 'openai/gpt-oss-20b'.");
                else if (!(models ??= []).Contains(model))
                    models.Add(model);
            }
        return models;
    }

    /// <summary>The number a variable ends in: 1 for <c>GROQ_API_KEY</c>, 2 for <c>GROQ_API_KEY_2</c>, null for another name.</summary>
    public static int? Number(string name, string stem)
    {
        if (name == stem)
            return 1;
        return name.StartsWith(stem + "_", StringComparison.Ordinal)
            && int.TryParse(name.AsSpan(stem.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number >= 1
            ? number
            : null;
    }

    private static List<ProviderKey> Keys(SettingsReader reader, KnownProvider known)
    {
        var (provider, prefix) = (known.Name, known.VariablePrefix);
        var keys = new SortedDictionary<int, (string Variable, ProviderKey Key)>();
        foreach (var variable in reader.Names)
        {
            if (Number(variable, $"{prefix}_API_KEY") is not { } number || Secret(reader, variable) is not { } secret)
                continue;
            if (keys.TryGetValue(number, out var other))
                reader.Refuse($"{other.Variable} and {variable} are both key {number} of {provider}; "
                    + $"expected one of them, and {prefix}_API_KEY_2 for the next.");
            else if (keys.Values.FirstOrDefault(entry => entry.Key.Secret == secret) is { Key: not null } same)
                reader.Refuse($"{variable} has the same key as {same.Variable}; "
                    + "expected a key of its own, since one key counted twice overruns its limits.");
            else
                keys[number] = (variable, new ProviderKey(provider, number, $"{provider}-{number}",
                    reader.Text($"{prefix}_ORG_{number}") ?? $"{provider}-{number}", secret));
        }
        foreach (var variable in reader.Names)
            if (Number(variable, $"{prefix}_ORG") is { } of && variable != $"{prefix}_ORG" && !keys.ContainsKey(of) && known.NeedsKey)
                reader.Warn($"{variable} names the organisation of key {of}, "
                    + $"but {(of == 1 ? $"{prefix}_API_KEY" : $"{prefix}_API_KEY_{of}")} is not set; it has no effect.");
        return [.. keys.Values.Select(entry => entry.Key)];
    }

    private static string? Secret(SettingsReader reader, string variable)
    {
        var raw = reader.Raw(variable)!;
        var secret = raw.Trim();
        if (secret.Any(c => c is < '!' or > '~'))
        {
            reader.Refuse($"{variable} has a space, a line break or another character that no key has (at place "
                + $"{secret.IndexOf(secret.First(c => c is < '!' or > '~')) + 1} of {secret.Length}); "
                + "expected the key alone, as the provider shows it.");
            return null;
        }
        if (raw.Length != secret.Length)
            reader.Warn($"{variable} has spaces or a line break around the key; they are left out.");
        return secret;
    }
}
