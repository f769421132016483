using LlmQueue.Worker.Outcomes;

namespace LlmQueue.Worker.Recovery;

/// <summary>One decision for each outcome. Pure.</summary>
public static class RecoveryRule
{
    private const int LeastAllowance = 1024;
    private const int AllowanceGrows = 4;
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    /// <param name="outcome">What came of the call.</param>
    /// <param name="trial">What the task has behind it.</param>
    /// <param name="options">How many faults and how much time a task has.</param>
    /// <param name="jitter">A number in [0, 1): jitter is only ever added.</param>
    public static RecoveryDecision Decide(CallOutcome outcome, Trial trial, WorkerOptions options, double jitter)
    {
        var model = trial.Model;
        return outcome switch
        {
            CallOutcome.Answered answer => new RecoveryDecision.Complete(answer),
            CallOutcome.Throttled throttled =>
                new RecoveryDecision.SeekAgain($"{model} asked to wait {throttled.Wait.TotalSeconds:0.###} s: {throttled.Detail}"),
            CallOutcome.OutOfCredit credit => new RecoveryDecision.SeekAgain($"{model} is out of credit: {credit.Detail}"),
            CallOutcome.KeyRefused key => new RecoveryDecision.SeekAgain($"the key was refused by {model}: {key.Detail}"),
            CallOutcome.HeldBack held => new RecoveryDecision.SeekAgain($"{model} was not asked: {held.Detail}"),
            CallOutcome.ModelGone gone => new RecoveryDecision.LeaveModel($"{model} is gone: {gone.Detail}"),
            CallOutcome.TooLarge large => new RecoveryDecision.LeaveModel($"the request is too large for {model}: {large.Detail}"),
            CallOutcome.ContextExceeded context =>
                new RecoveryDecision.LeaveModel($"the prompt exceeds the context of {model}: {context.Detail}"),
            CallOutcome.ContentRefused content => new RecoveryDecision.LeaveModel($"{model} refused the content: {content.Detail}"),
            CallOutcome.Unsupported unsupported =>
                new RecoveryDecision.LeaveModel($"{model} does not take the request: {unsupported.Detail}"),
            CallOutcome.OutputSpent spent => More(spent, trial),
            CallOutcome.BadRequest bad => new RecoveryDecision.GiveUp($"{model} finds the request wrong: {bad.Detail}"),
            CallOutcome.Malformed malformed => Fault($"{model} gave no usable answer: {malformed.Detail}", outcome, trial, options, jitter),
            CallOutcome.TimedOut timedOut =>
                Fault($"{model} did not answer within {timedOut.After.TotalSeconds:0.#} s", outcome, trial, options, jitter),
            CallOutcome.Unreachable unreachable =>
                Fault($"{model} could not be reached: {unreachable.Detail}", outcome, trial, options, jitter),
            CallOutcome.Abandoned abandoned => Fault(abandoned.Detail, outcome, trial, options, jitter),
            _ => throw new InvalidOperationException($"No decision is written for {outcome.GetType().Name}."),
        };
    }

    /// <summary>
    /// Whose fault it was decides whether it may end the task. One that the provider met with everybody is an outage: the task goes on
    /// trying until its time is over. One that only this task met, or that is in what the model wrote, counts towards MaxFaults.
    /// </summary>
    private static RecoveryDecision Fault(string reason, CallOutcome outcome, Trial trial, WorkerOptions options, double jitter)
    {
        var isOutage = outcome.IsProvidersFault && !trial.OthersWereAnswered;
        if (isOutage && !trial.HasTime)
            return new RecoveryDecision.GiveUp($"it was tried for {options.KeepTrying.TotalHours:0.##} hours through {trial.Outages + 1} "
                + $"faults of its providers, the last: {reason}. Give it a deadline to have it tried for as long as you can wait");
        if (!isOutage && trial.Faults - trial.Outages + 1 >= options.MaxFaults)
            return new RecoveryDecision.GiveUp($"{options.MaxFaults} calls met a fault, the last: {reason}");
        var pause = TimeSpan.FromTicks(Math.Min(LongestPause.Ticks, options.FirstBackOff.Ticks << Math.Min(trial.Faults, 16)));
        return new RecoveryDecision.TryAgain(reason, pause + (pause * (jitter / 2)), isOutage);
    }

    /// <summary>Each time four times as much, so that a few calls find what the model needs; at its limit another model is asked.</summary>
    private static RecoveryDecision More(CallOutcome.OutputSpent spent, Trial trial)
    {
        var more = (int)Math.Min(trial.MostOutputTokens, Math.Max(LeastAllowance, (long)trial.MaxOutputTokens * AllowanceGrows));
        return more > trial.MaxOutputTokens
            ? new RecoveryDecision.AllowMore($"{trial.Model}: {spent.Detail}; it is asked again with {more} tokens", more)
            : new RecoveryDecision.LeaveModel($"{trial.Model}: {spent.Detail}, which is the most it gives");
    }
}
