using LlmQueue.Worker.Calling;

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

    /// <summary>A fault: the next model if there is one, else the same again after a pause.</summary>
    public sealed record TryAgain(string Reason, TimeSpan Pause) : RecoveryDecision;

    /// <summary>Nothing more can be done.</summary>
    public sealed record GiveUp(string Reason) : RecoveryDecision;
}

/// <summary>One decision for each outcome. Pure.</summary>
public static class RecoveryRule
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    /// <param name="outcome">What came of the call.</param>
    /// <param name="model">The model that was called.</param>
    /// <param name="faults">Faults of this task so far, this one not counted.</param>
    /// <param name="options">Limits of patience.</param>
    /// <param name="chance">A number in [0, 1): jitter is only ever added.</param>
    public static RecoveryDecision Decide(CallOutcome outcome, string model, int faults, WorkerOptions options, double chance) => outcome switch
    {
        CallOutcome.Answered answer => new RecoveryDecision.Complete(answer),
        CallOutcome.Throttled throttled => new RecoveryDecision.SeekAgain($"{model} asked to wait {throttled.Wait.TotalSeconds:0.###} s: {throttled.Detail}"),
        CallOutcome.OutOfCredit credit => new RecoveryDecision.SeekAgain($"{model} is out of credit: {credit.Detail}"),
        CallOutcome.KeyRefused key => new RecoveryDecision.SeekAgain($"the key was refused by {model}: {key.Detail}"),
        CallOutcome.ModelGone gone => new RecoveryDecision.LeaveModel($"{model} is gone: {gone.Detail}"),
        CallOutcome.TooLarge large => new RecoveryDecision.LeaveModel($"the request is too large for {model}: {large.Detail}"),
        CallOutcome.ContextExceeded context => new RecoveryDecision.LeaveModel($"the prompt exceeds the context of {model}: {context.Detail}"),
        CallOutcome.ContentRefused content => new RecoveryDecision.LeaveModel($"{model} refused the content: {content.Detail}"),
        CallOutcome.BadRequest bad => new RecoveryDecision.GiveUp($"{model} finds the request wrong: {bad.Detail}"),
        CallOutcome.Malformed malformed => Fault($"{model} gave no usable answer: {malformed.Detail}", faults, options, chance),
        CallOutcome.TimedOut timedOut => Fault($"{model} did not answer within {timedOut.After.TotalSeconds:0.#} s", faults, options, chance),
        CallOutcome.Unreachable unreachable => Fault($"{model} could not be reached: {unreachable.Detail}", faults, options, chance),
        CallOutcome.Abandoned abandoned => Fault(abandoned.Detail, faults, options, chance),
        _ => throw new InvalidOperationException($"No decision is written for {outcome.GetType().Name}."),
    };

    private static RecoveryDecision Fault(string reason, int faults, WorkerOptions options, double chance)
    {
        if (faults + 1 >= options.MaxFaults)
            return new RecoveryDecision.GiveUp($"{options.MaxFaults} calls met a fault, the last: {reason}");
        var pause = TimeSpan.FromTicks(Math.Min(LongestPause.Ticks, options.FirstBackOff.Ticks << Math.Min(faults, 16)));
        return new RecoveryDecision.TryAgain(reason, pause + (pause * (chance / 2)));
    }
}
