namespace LlmQueue.Worker.Outcomes;

/// <summary>
/// The event that a call has an outcome. Raised to the state machine by the worker that made the call: answer, record, settlement and
/// transition are one commit.
/// </summary>
/// <param name="TaskId">The task.</param>
/// <param name="Attempt">The attempt; an old one changes nothing.</param>
/// <param name="Outcome">What came of it.</param>
/// <param name="KeyAlias">The key it went through.</param>
/// <param name="Took">From claim to outcome.</param>
/// <param name="PromptHash">First 16 hex digits of the prompt's SHA-256.</param>
/// <param name="OpensBreaker">With it so many of this worker's latest calls to the bucket met faults that its breaker opens.</param>
/// <param name="AdmittedAt">When room was reserved for it.</param>
public sealed record CallFinished(
    Guid TaskId, int Attempt, CallOutcome Outcome, string KeyAlias, TimeSpan Took, string? PromptHash, bool OpensBreaker = false,
    DateTime? AdmittedAt = null)
{
    /// <summary>Requests it took: 0 for what was answered along with another task's question.</summary>
    public int Requests { get; init; } = 1;
}
