using System.Globalization;

namespace LlmQueue.Bench.Throughput;

/// <summary>What was asked for on the command line.</summary>
internal sealed record Arguments
{
    public const string Usage = "bench/throughput.sh [--rounds 5] [--tasks 5000] [--warm 5000] [--peers graphile,pgboss,bullmq|none] [--rate 100] [--seconds 10] [--verbose]";
    private static readonly string[] AllPeers = ["graphile", "pgboss", "bullmq"];

    public int Rounds { get; private init; } = 5;
    public int Tasks { get; private init; } = 5000;

    /// <summary>Tasks that each contender does before it is measured, so that it has compiled what it runs.</summary>
    public int WarmUp { get; private init; } = 5000;

    public IReadOnlyList<string> Peers { get; private init; } = AllPeers;

    /// <summary>Tasks a second while latency is measured, and for how long; 0 seconds leaves it out.</summary>
    public int Rate { get; private init; } = 100;
    public int Seconds { get; private init; } = 10;

    /// <summary>Prints the end of the worker's output.</summary>
    public bool Verbose { get; private init; }

    /// <exception cref="FormatException">Not understood; the message is the sentence.</exception>
    public static Arguments Read(string[] arguments)
    {
        var read = new Arguments();
        for (var i = 0; i < arguments.Length; i++)
        {
            read = arguments[i] switch
            {
                "--rounds" => read with { Rounds = Number(1) },
                "--tasks" => read with { Tasks = Number(1) },
                "--warm" => read with { WarmUp = Number(1) },
                "--peers" => read with { Peers = Names() },
                "--rate" => read with { Rate = Number(1) },
                "--seconds" => read with { Seconds = Number(0) },
                "--verbose" => read with { Verbose = true },
                var other => throw new FormatException($"Not understood: {other}. Expected {Usage}"),
            };

            string Value() => ++i < arguments.Length ? arguments[i] : throw new FormatException($"{arguments[i - 1]} needs a value. Expected {Usage}");
            int Number(int least) => int.TryParse(Value(), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least ? number : throw new FormatException($"{arguments[i - 1]} is '{arguments[i]}'; expected a whole number from {least}.");
            string[] Names() => Value() is not "none" and var names ? [.. names.Split(',').Select(Known)] : [];
            static string Known(string name) => AllPeers.Contains(name, StringComparer.Ordinal) ? name : throw new FormatException($"There is no peer '{name}'; expected {string.Join(", ", AllPeers)}, or none.");
        }

        return read;
    }
}
