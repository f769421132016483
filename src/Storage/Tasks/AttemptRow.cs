namespace LlmQueue.Storage.Tasks;

/// <summary>One call to a provider: who claimed it, what it cost, why this route.</summary>
public sealed class AttemptRow
{
    public Guid TaskId { get; set; }
    public int Number { get; set; }
    public string Model { get; set; } = "";
    public string Bucket { get; set; } = "";
    public string KeyAlias { get; set; } = "";
    public string Why { get; set; } = "";
    public long ReservedTokens { get; set; }
    public decimal? ReservedUsd { get; set; }
    /// <summary>
    /// The task that leads the reservation which this attempt shares, its own where it leads; null for a call of its own.
    /// </summary>
    public Guid? Pack { get; set; }
    public DateTime CreatedAt { get; set; }
    /// <summary>The worker that makes the call; null until one has claimed it. Only the one that set it may call.</summary>
    public Guid? Worker { get; set; }
    public DateTime? StartedAt { get; set; }
    public DateTime? EndedAt { get; set; }
    /// <summary>"answered", "throttled", "timed out", … ; null while it is open.</summary>
    public string? Outcome { get; set; }
    public string? Detail { get; set; }
    public string? ModelVersion { get; set; }
    public string? PromptHash { get; set; }
    public string? OutputHash { get; set; }
    public long? InputTokens { get; set; }
    public long? OutputTokens { get; set; }
    public decimal? CostUsd { get; set; }
    public int? LatencyMs { get; set; }
}
