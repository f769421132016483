using System.Globalization;

namespace LlmQueue.Bench.Drain;

/// <summary>What was asked for on the command line.</summary>
internal sealed record Arguments
{
    public const string Usage = """
        bench/drain.sh [--scenario base|two-keys|claims-double|claims-half|mixed] [--workers 1] [--runs 3] [--calls N] [--peer] [--cold] [--seed 1] [--verbose]
        """;

    public string ScenarioName { get; private init; } = "base";
    public int Workers { get; private init; } = 1;
    public int Runs { get; private init; } = 3;
    public int? Calls { get; private init; }

    /// <summary>Measures BullMQ as well.</summary>
    public bool Peer { get; private init; }

    /// <summary>Without the few calls to another model that let the workers compile what they run.</summary>
    public bool Cold { get; private init; }

    public int Seed { get; private init; } = 1;

    /// <summary>Prints when and for which window calls were refused, and the end of the workers' output.</summary>
    public bool Verbose { get; private init; }

    /// <exception cref="FormatException">Not understood; the message is the sentence.</exception>
    public static Arguments Read(string[] arguments)
    {
        var read = new Arguments();
        for (var i = 0; i < arguments.Length; i++)
        {
            read = arguments[i] switch
            {
                "--scenario" => read with { ScenarioName = Value() },
                "--workers" => read with { Workers = Number() },
                "--runs" => read with { Runs = Number() },
                "--calls" => read with { Calls = Number() },
                "--seed" => read with { Seed = Number() },
                "--peer" => read with { Peer = true },
                "--cold" => read with { Cold = true },
                "--verbose" => read with { Verbose = true },
                var other => throw new FormatException($"Not understood: {other}. Expected {Usage}"),
            };

            string Value() => ++i < arguments.Length ? arguments[i] : throw new FormatException($"{arguments[i - 1]} needs a value. Expected {Usage}");
            int Number() => int.TryParse(Value(), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 ? number : throw new FormatException($"{arguments[i - 1]} is '{arguments[i]}'; expected a whole number above 0.");
        }

        return read;
    }
}
