using LlmQueue.Catalogue;

namespace LlmQueue.Worker.Routing;

/// <summary>Either <see cref="Routed"/> or <see cref="NoModel"/>.</summary>
public abstract record RouteChoice
{
    private protected RouteChoice()
    {
    }
}

/// <summary>The chain to try in order; never empty, nobody twice, and each can take the task.</summary>
/// <param name="Rule">Why this chain: the row's name, and what was changed about it.</param>
/// <param name="Models">First choice first.</param>
public sealed record Routed(string Rule, IReadOnlyList<ModelId> Models) : RouteChoice
{
    /// <summary>Who was passed over because the prompt is too long, and who takes it; null when nobody was.</summary>
    public string? Switched { get; init; }
}

/// <summary>Nobody can take the task as it is.</summary>
/// <param name="Reason">What was found, what was expected and what to do.</param>
public sealed record NoModel(string Reason) : RouteChoice
{
    /// <summary>Somebody would give such an answer, but no call holds the prompt beside it.</summary>
    public bool IsTooLong { get; init; }
}
