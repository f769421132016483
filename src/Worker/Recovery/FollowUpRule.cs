using LlmQueue.Catalogue;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Worker.Recovery;

/// <summary>What follows a call, and what of it is written into the task's row.</summary>
/// <param name="Next">What the task does.</param>
/// <param name="Reason">For its history; null when the answer speaks for itself.</param>
/// <param name="Faults">Faults of the task, this one counted.</param>
/// <param name="Outages">Of these, the providers'.</param>
public sealed record FollowUp(AfterCall Next, string? Reason, int Faults, int Outages)
{
    /// <summary>The models that may answer from here on; null leaves them as they were.</summary>
    public IReadOnlyList<string>? Chain { get; init; }

    /// <summary>The longest answer from here on; null leaves it as it was.</summary>
    public int? MaxOutputTokens { get; init; }

    /// <summary>
    /// The chain is an order of preference from here on, also where it was a pool: else the emptiest model would be the broken one.
    /// </summary>
    public bool EndsPool { get; init; }
}

/// <summary>Decides the follow-up of a call: which models are tried next and in which order, or how the task ends. Pure.</summary>
public static class FollowUpRule
{
    /// <param name="decision">What is done about the outcome; see <see cref="RecoveryRule"/>.</param>
    /// <param name="call">The call and its task.</param>
    /// <param name="maxFaults">How many faults of its own end a task.</param>
    public static FollowUp Decide(RecoveryDecision decision, EndedCall call, int maxFaults) => decision switch
    {
        RecoveryDecision.Complete complete => Unchanged(call, new AfterCall.TakeAnswer(complete.Answer, call.Model), null),
        RecoveryDecision.SeekAgain again => Unchanged(call, new AfterCall.PlanAgain(), again.Reason),
        RecoveryDecision.AllowMore more =>
            Unchanged(call, new AfterCall.PlanAgain(), more.Reason) with { MaxOutputTokens = more.MaxOutputTokens },
        RecoveryDecision.LeaveModel leave => WithoutModel(leave, call),
        RecoveryDecision.TryAgain fault => AfterFault(fault, call, maxFaults),
        RecoveryDecision.GiveUp end => Unchanged(call, Lost(call, end.Reason), end.Reason) with { Faults = call.Faults + 1 },
        _ => throw new InvalidOperationException($"No follow-up is written for {decision.GetType().Name}."),
    };

    private static FollowUp Unchanged(EndedCall call, AfterCall next, string? reason) => new(next, reason, call.Faults, call.Outages);

    private static FollowUp WithoutModel(RecoveryDecision.LeaveModel leave, EndedCall call)
    {
        var rest = call.Chain.Where(m => m != call.Model).ToList();
        if (call.Replacement is { } replacement && !rest.Contains(replacement))
            rest.Insert(0, replacement);
        AfterCall next = rest.Count > 0 ? new AfterCall.PlanAgain() : Lost(call, $"No model is left: {leave.Reason}");
        return Unchanged(call, next, leave.Reason) with { Chain = rest };
    }

    /// <summary>
    /// The other models first, then this one again. Where the provider itself failed, those of other providers come before its own.
    /// </summary>
    private static FollowUp AfterFault(RecoveryDecision.TryAgain fault, EndedCall call, int maxFaults)
    {
        var (faults, outages) = (call.Faults + 1, call.Outages + (fault.IsOutage ? 1 : 0));
        var provider = ModelId.Parse(call.Model).Provider;
        var untried = fault.IsOutage ? call.Untried.OrderBy(m => ModelId.Parse(m).Provider == provider).ToList() : call.Untried;
        var rest = call.Chain.Where(m => m != call.Model).ToList();
        var othersLeft = faults % (rest.Count + 1) != 0;
        var whose = fault.IsOutage ? "an outage of its provider" : $"fault {faults - outages} of at most {maxFaults}";
        AfterCall next = othersLeft ? new AfterCall.PlanAgain() : new AfterCall.BackOff(fault.Pause, fault.Reason);
        return new FollowUp(next, $"{fault.Reason} ({whose})", faults, outages)
        {
            Chain = [.. untried, .. rest.Except(untried), call.Model],
            EndsPool = true,
        };
    }

    /// <summary>Nothing more can be done in this pass: a draft that stands is the answer all the same.</summary>
    private static AfterCall Lost(EndedCall call, string reason) => call switch
    {
        { HasDraft: true } => new AfterCall.KeepAnswer(PayloadRow.Draft, $"nobody gave the {call.Pass}: {reason}"),
        { Pass: TaskPasses.Extraction } => new AfterCall.Fail($"Its images could not be read: {reason}"),
        { Pass: { } part } when TaskPasses.IsPart(part) =>
            new AfterCall.Fail($"Of its prompt, {TaskPasses.Describe(part)} could not be read: {reason}"),
        _ => new AfterCall.Fail(reason),
    };
}
