namespace LlmQueue.Contracts;

/// <summary>
/// A quota or a budget is used up to 80 (a warning), 90 (critical) or 95 % (emergency). Published once each time a
/// threshold is crossed upward.
/// </summary>
public sealed record QuotaThresholdReached
{
    /// <summary><c>budget</c> or <c>quota</c> (a provider's limit of a day).</summary>
    public required string Kind { get; init; }
    /// <summary>The budget's period (<c>installation/2026-11-21</c>) or the bucket (<c>provider/organisation/model</c>).</summary>
    public required string Subject { get; init; }
    /// <summary>80, 90 or 95.</summary>
    public required int Percent { get; init; }
    /// <summary>What the queue does about it, as a sentence.</summary>
    public required string Consequence { get; init; }
    /// <summary>When (UTC).</summary>
    public required DateTimeOffset At { get; init; }
}
