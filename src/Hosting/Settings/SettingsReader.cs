using System.Globalization;

namespace LlmQueue.Hosting.Settings;

/// <summary>Reads variables and collects what is wrong with them.</summary>
internal sealed class SettingsReader(IReadOnlyDictionary<string, string?> variables)
{
    private readonly List<string> _problems = [];
    private readonly List<string> _warnings = [];

    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>Every variable that has a value. docker-compose passes what is not set as an empty text.</summary>
    public IEnumerable<string> Names => variables.Where(pair => !string.IsNullOrWhiteSpace(pair.Value))
        .Select(pair => pair.Key).Order(StringComparer.Ordinal);

    public string? Text(string name) =>
        variables.GetValueOrDefault(name) is { } value && !string.IsNullOrWhiteSpace(value) ? value.Trim() : null;

    /// <summary>As it stands, spaces around it included: for secrets, where a stray line break is worth a word.</summary>
    public string? Raw(string name) => string.IsNullOrWhiteSpace(variables.GetValueOrDefault(name)) ? null : variables[name];

    public void Refuse(string sentence) => _problems.Add(sentence);

    public void Warn(string sentence) => _warnings.Add(sentence);

    public void ThrowIfAny()
    {
        if (_problems.Count > 0)
            throw new SettingsException(_problems);
    }

    public int? Count(string name)
    {
        if (Text(name) is not { } text)
            return null;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0)
            return count;
        Refuse($"{name} is '{text}'; expected a whole number above 0, or leave it out for no limit.");
        return null;
    }

    public decimal? Amount(string name)
    {
        if (Text(name) is not { } text)
            return null;
        if (decimal.TryParse(text, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture,
            out var amount)
            && amount >= 0)
            return amount;
        Refuse($"{name} is '{text}'; expected US dollars as a number of 0 or more with a point, "
            + "for example 2.50, or leave it out for no limit.");
        return null;
    }
}

/// <summary>Reads the file <c>.env</c> and the environment as one.</summary>
internal static class EnvironmentFile
{
    public static Dictionary<string, string?> Read(string homeFolder)
    {
        var all = new Dictionary<string, string?>(StringComparer.Ordinal);
        var path = Path.Combine(homeFolder, ".env");
        if (File.Exists(path))
        {
            try
            {
                var options = new dotenv.net.DotEnvOptions(ignoreExceptions: false, envFilePaths: [path], trimValues: true,
                    supportExportSyntax: true);
                foreach (var (name, value) in dotenv.net.DotEnv.Read(options))
                    all[name] = value;
            }
            catch (Exception fault) when (fault is not OutOfMemoryException)
            {
                // The parser's message may quote the line, and the line may be a key.
                throw new SettingsException(
                    [$"The file '{path}' cannot be read ({fault.GetType().Name}); expected lines of NAME=value, as in .env.example."]);
            }
        }
        foreach (System.Collections.DictionaryEntry pair in Environment.GetEnvironmentVariables())
            all[(string)pair.Key] = (string?)pair.Value;
        return all;
    }
}
