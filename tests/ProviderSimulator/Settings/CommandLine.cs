using System.Globalization;

namespace ProviderSimulator.Settings;

/// <summary>What the command line said. Anything it does not know is an error: a misspelt flag must not pass for a default.</summary>
internal sealed record CommandLine
{
    public const string Usage =
        "ProviderSimulator --urls http://127.0.0.1:9100 [--catalogue FILE] [--scale N] [--config FILE] [--log FILE] [--seed N] "
        + "[--parent PID] [--unlimited] [--latency-ms 300-600|50] [--refund] [--header-tokens on|off]";

    public string Urls { get; private set; } = "http://127.0.0.1:9100";
    public string? CataloguePath { get; private set; }
    public double Scale { get; private set; } = 1;
    public string? ConfigPath { get; private set; }
    public string? LogPath { get; private set; }
    public int Seed { get; private set; } = 1;
    public int? ParentProcessId { get; private set; }
    public bool Unlimited { get; private set; }
    public LatencyRange? Latency { get; private set; }
    public bool Refund { get; private set; }
    public bool HeaderTokens { get; private set; } = true;

    public static CommandLine Parse(IReadOnlyList<string> arguments)
    {
        var line = new CommandLine();
        for (var at = 0; at < arguments.Count; at++)
        {
            var flag = arguments[at];
            if (flag is "--unlimited")
            {
                line.Unlimited = true;
            }
            else if (flag is "--refund")
            {
                line.Refund = true;
            }
            else
            {
                at++;
                line.Take(flag, at < arguments.Count ? arguments[at] : throw new FormatException($"{flag} needs a value. {Usage}"));
            }
        }

        return line;
    }

    private void Take(string flag, string value)
    {
        try
        {
            Set(flag, value);
        }
        catch (Exception error) when (error is FormatException or OverflowException)
        {
            throw new FormatException($"{flag} {value}: {error.Message} {Usage}", error);
        }
    }

    private void Set(string flag, string value)
    {
        switch (flag)
        {
            case "--urls": Urls = value; break;
            case "--catalogue": CataloguePath = value; break;
            case "--scale": Scale = double.Parse(value, CultureInfo.InvariantCulture); break;
            case "--config": ConfigPath = value; break;
            case "--log": LogPath = value; break;
            case "--seed": Seed = int.Parse(value, CultureInfo.InvariantCulture); break;
            case "--parent": ParentProcessId = int.Parse(value, CultureInfo.InvariantCulture); break;
            case "--latency-ms": Latency = LatencyRange.Parse(value); break;
            case "--header-tokens" when value is "on" or "off": HeaderTokens = value is "on"; break;
            default: throw new FormatException("not a flag with such a value.");
        }
    }
}
