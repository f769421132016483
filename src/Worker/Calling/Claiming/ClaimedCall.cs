using LlmQueue.Catalogue;

namespace LlmQueue.Worker.Calling.Claiming;

/// <summary>A claimed attempt and what its call needs.</summary>
public sealed record ClaimedCall(
    Guid TaskId, int Attempt, string State, string Model, string Bucket, string KeyAlias, int MaxOutputTokens, string Prompt,
    ModelChain? Chain,
    int Faults, DateTime AdmittedAt)
{
    /// <summary>The lead of the reservation that it shares; null for a call of its own.</summary>
    public Guid? Lead { get; init; }

    /// <summary>What the call is for, when its task takes more than one.</summary>
    public string? Pass { get; init; }
}
