namespace LlmQueue.Bench.Drain;

/// <summary>A model's true limits, as the simulator holds them; 0 a day is not limited.</summary>
internal sealed record Limits(string Model, int RequestsPerMinute, int TokensPerMinute, int TokensPerDay = 0);

/// <summary>One call, in tokens as the simulator counts them.</summary>
internal readonly record struct CallSize(int Prompt, int Output)
{
    public int Tokens => Prompt + Output;
}

/// <summary>What is drained, through what, and what the catalogue says of it.</summary>
/// <param name="Name">As on the command line.</param>
/// <param name="Models">Each organisation has all of them.</param>
/// <param name="Organisations">Of key 1, key 2: the same name twice is two keys of one organisation.</param>
/// <param name="ClaimedShare">What the catalogue claims, as a share of the true limits.</param>
/// <param name="Calls">One entry a call.</param>
internal sealed record Scenario(string Name, IReadOnlyList<Limits> Models, IReadOnlyList<string> Organisations, double ClaimedShare, IReadOnlyList<CallSize> Calls)
{
    public static readonly string[] Names = ["base", "two-keys", "claims-double", "claims-half", "mixed"];

    private static readonly Limits[] Three = [new("model-a", 300, 60_000), new("model-b", 300, 120_000), new("model-c", 600, 60_000)];

    public int Buckets => Models.Count * Organisations.Distinct(StringComparer.Ordinal).Count();

    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="calls">How many; null is the scenario's own number.</param>
    /// <param name="seed">Of the sizes of the mixed scenario.</param>
    public static Scenario? Find(string name, int? calls, int seed) => name switch
    {
        "base" => new(name, Three, ["a", "b"], 1, Equal(calls ?? 2720)),
        // One organisation's limits, so half of the calls take as long.
        "two-keys" => new(name, Three, ["a", "a"], 1, Equal(calls ?? 1360)),
        "claims-double" => new(name, Three, ["a", "b"], 2, Equal(calls ?? 2720)),
        "claims-half" => new(name, Three, ["a", "b"], 0.5, Equal(calls ?? 2720)),
        // The first model's day is over in the middle; what waits for it must go elsewhere.
        "mixed" => new(name, [Three[0] with { TokensPerDay = 60_000 }, Three[1], Three[2]], ["a", "b"], 1, Mixed(calls ?? 900, seed)),
        _ => null,
    };

    private static CallSize[] Equal(int calls) => [.. Enumerable.Repeat(new CallSize(250, 60), calls)];

    /// <summary>100 to 4,000 tokens, as many small ones as large ones by order of magnitude.</summary>
    private static CallSize[] Mixed(int calls, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, calls).Select(_ => (int)(100 * Math.Pow(40, random.NextDouble()))).Select(tokens => new CallSize(tokens - (tokens / 5), tokens / 5))];
    }
}
