namespace LlmQueue.Worker.Classification;

/// <summary>What a task is and how hard.</summary>
/// <param name="Kind">As the routes name it: <c>code</c>, <c>analysis</c>, …</param>
/// <param name="Complexity"><c>low</c>, <c>medium</c> or <c>high</c>.</param>
/// <param name="Confidence">0 to 1.</param>
/// <param name="By">Who said so: one of <see cref="Stages"/>.</param>
public sealed record Classification(string Kind, string Complexity, double Confidence, string By)
{
    /// <summary>The task cannot be done without what was said before; only the model judges it, null is not known.</summary>
    public bool? RequiresContext { get; init; }

    /// <summary>What else it may be, likelier kinds first.</summary>
    public IReadOnlyList<string> AlsoLikely { get; init; } = [];

    /// <summary><c>transactional</c>, <c>analytical</c> or <c>creative</c>; only the model judges it.</summary>
    public string? Category { get; init; }
}

/// <summary>Who decides what a task is, in the order in which they are asked.</summary>
public static class Stages
{
    public const string Producer = "producer";
    public const string Rules = "rules";
    public const string Cache = "cache";
    public const string Model = "model";
    public const string Default = "default";
}
