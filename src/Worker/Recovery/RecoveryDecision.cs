using LlmQueue.Worker.Outcomes;

namespace LlmQueue.Worker.Recovery;

/// <summary>What is done after a call. A closed set.</summary>
public abstract record RecoveryDecision
{
    /// <summary>Keep the answer; the task is done.</summary>
    public sealed record Complete(CallOutcome.Answered Answer) : RecoveryDecision;

    /// <summary>Ask for room again at once: the reason lies with the bucket or the key, not with the task. No fault is counted.</summary>
    public sealed record SeekAgain(string Reason) : RecoveryDecision;

    /// <summary>This model will not do for this task: go on with the rest of the chain.</summary>
    public sealed record LeaveModel(string Reason) : RecoveryDecision;

    /// <summary>Ask the same model again with a longer answer allowed.</summary>
    public sealed record AllowMore(string Reason, int MaxOutputTokens) : RecoveryDecision;

    /// <summary>A fault: the next model if there is one, else the same again after a pause.</summary>
    /// <param name="Reason">What was met.</param>
    /// <param name="Pause">Before the same again.</param>
    /// <param name="IsOutage">True when the fault was the provider's: it ends no task that has time.</param>
    public sealed record TryAgain(string Reason, TimeSpan Pause, bool IsOutage) : RecoveryDecision;

    /// <summary>Nothing more can be done.</summary>
    public sealed record GiveUp(string Reason) : RecoveryDecision;
}

/// <summary>What a task has behind it when one of its calls ends.</summary>
/// <param name="Model">The model that was called.</param>
/// <param name="Faults">Faults of this task so far, this one not counted.</param>
/// <param name="Outages">Of these, the providers'.</param>
/// <param name="OthersWereAnswered">True when the same bucket answered somebody else while this call was made, and its breaker is closed:
/// the provider is well.</param>
/// <param name="HasTime">True before its deadline, and without one while it is young enough.</param>
/// <param name="MaxOutputTokens">The longest answer it was allowed.</param>
/// <param name="MostOutputTokens">The longest answer the model gives.</param>
public sealed record Trial(
    string Model, int Faults, int Outages, bool OthersWereAnswered, bool HasTime, int MaxOutputTokens, int MostOutputTokens);
