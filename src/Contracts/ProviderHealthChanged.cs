namespace LlmQueue.Contracts;

/// <summary>
/// A model of a provider went away, is being tried again, or is back. Published once for each change, whichever worker met it;
/// every worker goes by it.
/// </summary>
public sealed record ProviderHealthChanged
{
    /// <summary>The bucket: <c>provider/organisation/model</c>.</summary>
    public required string Bucket { get; init; }
    /// <summary>
    /// <c>open</c>: nothing is sent but probes. <c>recovering</c>: a probe was answered and calls come back step by step.
    /// <c>closed</c>: calls go through.
    /// </summary>
    public required string State { get; init; }
    /// <summary>What was met, as a sentence.</summary>
    public required string Reason { get; init; }
    /// <summary>When the next call is let through (UTC); null unless <c>open</c>.</summary>
    public DateTimeOffset? NextProbeAt { get; init; }
    /// <summary>When (UTC).</summary>
    public required DateTimeOffset At { get; init; }
}
