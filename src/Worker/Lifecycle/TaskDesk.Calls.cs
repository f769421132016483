using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Limits;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Calling;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Recovery;
using MassTransit;

namespace LlmQueue.Worker.Lifecycle;

// Calls: an attempt is opened with its reservation, and ends with its settlement.
public sealed partial class TaskDesk
{
    public void OpenAttempt<T>(BehaviorContext<TaskRow, T> context) where T : class
    {
        var (task, transition) = (context.Saga, Of(context));
        var call = transition.Decision as NextStep.Call;
        task.Why = call is null ? "asked what the task is" : Why(task);
        if (call?.WhyNotFirst is { } why && !task.Spread && task.Model != call.FirstChoice)
            Downgrade(task, transition, call.FirstChoice, why);
        else if (call is not null && transition.Left is { } left && left.Model != task.Model)
            Downgrade(task, transition, left.Model, left.Reason);
        Open(task, transition, call is null ? TaskStates.Classifying : TaskPasses.StateOf(task.Pass));
    }

    /// <summary>The Pacer has booked the room; the attempt is opened on it.</summary>
    public void OpenGrantedAttempt(BehaviorContext<TaskRow, CapacityGranted> context)
    {
        var (task, transition) = (context.Saga, Of(context));
        var firstChoice = task.Chain?.Split(' ')[0];
        task.Why = Why(task);
        if (!task.Spread && firstChoice is not null && task.Model != firstChoice)
            Downgrade(task, transition, firstChoice, admission.WhyGranted(task, transition.Now));
        EndWait(task);
        Open(task, transition, TaskPasses.StateOf(task.Pass));
    }

    /// <summary>The outcome of the open call, and no other.</summary>
    public bool IsCurrent(BehaviorContext<TaskRow, CallFinished> context) => context.Message.Attempt == context.Saga.Attempt;

    public bool IsOld(BehaviorContext<TaskRow, CallFinished> context) => !IsCurrent(context);

    public bool IsCurrentLease(BehaviorContext<TaskRow, LeaseExpired> context) => context.Message.Attempt == context.Saga.Attempt;

    public bool IsOldLease(BehaviorContext<TaskRow, LeaseExpired> context) => !IsCurrentLease(context);

    public CallFinished Abandoned(BehaviorContext<TaskRow, LeaseExpired> context) => new(context.Saga.CorrelationId, context.Saga.Attempt,
        new CallOutcome.Abandoned("the worker that made the call is gone; whether the provider answered is not known"), KeyAlias: "", TimeSpan.Zero, PromptHash: null) { Requests = context.Saga.PackedWith is null ? 1 : 0 };

    /// <summary>Ends the reservation with what the provider charged, and lets the bucket learn from the answer.</summary>
    public void SettleCall(BehaviorContext<TaskRow> context, CallFinished finished)
    {
        var (task, transition) = (context.Saga, Of(context));
        var outcome = finished.Outcome;
        var used = ChargeRule.Used(outcome, task.ReservedTokens);
        var price = catalogue.Now.Find(ModelId.Parse(task.Model!))?.Price ?? ModelPrice.Unknown;
        var cost = ChargeRule.Cost(outcome, price, task.ReservedUsd);
        var (input, output) = ChargeRule.Tokens(outcome);

        transition.Settlement = Learn(task, new Settlement
        {
            Reserved = ReservationOf(task), Used = used with { Requests = Math.Min(used.Requests, finished.Requests) }, SpentUsd = cost, Count = outcome.Count, Began = transition.Now - finished.Took,
            AdmittedAt = finished.AdmittedAt, ChargedOnArrival = ChargedOnArrival(task, outcome), WasAnswered = outcome is CallOutcome.Answered && finished.Requests > 0,
            // Of those that shared a call, the lead tells what it showed of the provider's health.
            Sign = finished.Requests > 0 && outcome.Sign is { } sign ? sign with { OpensBreaker = finished.OpensBreaker } : null,
        }, finished, transition.Now);
        transition.KeyUse = finished.KeyAlias.Length == 0 ? null : new KeyUse(finished.KeyAlias, input, output, outcome is CallOutcome.Throttled && finished.Requests > 0,
            (outcome.IsProvidersFault || outcome is CallOutcome.Malformed) && finished.Requests > 0, (outcome as CallOutcome.KeyRefused)?.Detail) { Calls = finished.Requests };

        if (outcome is CallOutcome.Answered && task.State != TaskStates.Classifying && task.Pass != TaskPasses.Extraction)
            estimates.Learn(task.Model!, task.CallKind, task.PromptUnits, input, output);
        if (task.State == TaskStates.Calling && task.Model is { } ran)
            transition.WhenCommitted += () => ranking.Learn(task, ran, outcome, finished.Took);
        task.InputTokens += input;
        task.OutputTokens += output;
        task.CostUsd += cost ?? 0;
        task.CostUnknown |= cost is null;
        var attempt = EndAttempt(task, transition, outcome.Word, outcome.Told);
        (attempt.InputTokens, attempt.OutputTokens, attempt.CostUsd) = (input, output, cost);
        (attempt.LatencyMs, attempt.PromptHash) = ((int)finished.Took.TotalMilliseconds, finished.PromptHash);
        if (outcome is CallOutcome.Answered answered)
            (attempt.ModelVersion, attempt.OutputHash) = (answered.ModelVersion, ContentHash.Of(answered.Text));
        transition.Decision = finished;
        transition.Left = (task.Model!, outcome.Told ?? outcome.Word);
    }

    /// <summary>One decision for the outcome; see RecoveryRule.</summary>
    public void DecideRecovery<T>(BehaviorContext<TaskRow, T> context) where T : class
    {
        var (task, transition) = (context.Saga, Of(context));
        var finished = (CallFinished)transition.Decision!;
        var outcome = Usable(task, finished.Outcome);
        var model = task.Model!;
        var decision = RecoveryRule.Decide(outcome, TrialOf(task, finished, transition.Now), options, chance.Next());
        ClearReservation(task);
        var rest = (task.Chain ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries).Where(m => m != model).ToList();
        switch (decision)
        {
            case RecoveryDecision.Complete complete:
                transition.Decision = Given(task, transition, complete.Answer, model);
                break;
            case RecoveryDecision.SeekAgain again:
                transition.Record(task.CorrelationId, outcome.Entry, task.State, again.Reason);
                transition.Decision = new AfterCall.SeekAgain();
                break;
            case RecoveryDecision.LeaveModel leave:
                transition.Record(task.CorrelationId, outcome.Entry, task.State, leave.Reason);
                if (outcome is CallOutcome.ModelGone && HeirOf(model, transition.Now) is { } heir && !rest.Contains(heir))
                    rest.Insert(0, heir);
                task.Chain = string.Join(' ', rest);
                transition.Decision = rest.Count > 0 ? new AfterCall.SeekAgain() : Lost(task, $"No model is left: {leave.Reason}");
                break;
            case RecoveryDecision.AllowMore more:
                transition.Record(task.CorrelationId, outcome.Entry, task.State, more.Reason);
                // Of a pass with an answer of its own length, that one: what was asked of the answer itself stays.
                if (task.PassOutputTokens is null)
                    task.MaxOutputTokens = more.MaxOutputTokens;
                else
                    task.PassOutputTokens = more.MaxOutputTokens;
                transition.Left = null;
                transition.Decision = new AfterCall.SeekAgain();
                break;
            case RecoveryDecision.TryAgain fault:
                var untried = CallTimeoutRule.Untried([.. (task.Chain ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries)], model, task.Faults).ToList();
                task.Faults++;
                task.Outages += fault.IsOutage ? 1 : 0;
                transition.Record(task.CorrelationId, outcome.Entry, task.State, fault.IsOutage ? $"{fault.Reason} (an outage of its provider)" : $"{fault.Reason} (fault {task.Faults - task.Outages} of at most {options.MaxFaults})");
                // The others first, then this one again; where the provider itself failed, those of other providers before its own. A pool that met a fault is an order from
                // here on, or the emptiest would be the broken one.
                if (fault.IsOutage)
                    untried = [.. untried.OrderBy(m => ModelId.Parse(m).Provider == ModelId.Parse(model).Provider)];
                task.Chain = string.Join(' ', [.. untried, .. rest.Except(untried), model]);
                task.Spread = false;
                var othersLeft = task.Faults % (rest.Count + 1) != 0;
                transition.Decision = othersLeft ? new AfterCall.SeekAgain() : new AfterCall.BackOff(fault.Pause, fault.Reason);
                break;
            case RecoveryDecision.GiveUp end:
                task.Faults++;
                transition.Record(task.CorrelationId, outcome.Entry, task.State, end.Reason);
                transition.Decision = Lost(task, end.Reason);
                break;
        }
    }

    private void Open(TaskRow task, UnitOfWork transition, string state)
    {
        task.Attempt++;
        task.RungAt = transition.Now;
        var bucket = directory.Find(task.Bucket!);
        var attempt = new AttemptRow
        {
            TaskId = task.CorrelationId, Number = task.Attempt, Model = task.Model!, Bucket = task.Bucket!, KeyAlias = bucket is null ? "" : keys.For(bucket).Alias, Why = task.Why ?? "",
            ReservedTokens = task.ReservedTokens, ReservedUsd = task.ReservedUsd, CreatedAt = transition.Now,
        };
        transition.Opened.Add(attempt);
        transition.Record(task.CorrelationId, state, state, $"attempt {task.Attempt} on {task.Model} ({task.Why})");
        // Of those that share a call, only the lead is called for; who leads is known when it is committed.
        if (state == TaskStates.Classifying)
            transition.WhenCommitted += () =>
            {
                if (task.PackedWith is null)
                    transition.Send(CallOf(task));
            };
        else if (!openCalls.TryKeep(task, attempt, transition))
            transition.Send(CallOf(task));
    }

    private static CallProvider CallOf(TaskRow task) => new(task.CorrelationId, task.Attempt, task.Model is { } model ? ModelId.Parse(model).Provider : null);

    private Trial TrialOf(TaskRow task, CallFinished finished, DateTime now)
    {
        var row = views.Bucket(task.Bucket!)?.At(now);
        var model = catalogue.Now.Find(ModelId.Parse(task.Model!));
        var othersWereAnswered = row?.AnsweredAt >= now - finished.Took && BreakerRule.StateOf(row, now) == BreakerState.Closed;
        var hasTime = task.Deadline is not null || now - task.SubmittedAt < options.KeepTrying;
        var prompt = task.ReservedTokens - task.CallOutputTokens;
        var most = Math.Min(model?.MaxOutput ?? task.CallOutputTokens, Math.Min((model?.Context ?? int.MaxValue) - prompt, (row?.TokensPerMinute ?? int.MaxValue) * 0.95 - prompt));
        return new Trial(task.Model!, task.Faults, task.Outages, othersWereAnswered, hasTime, task.CallOutputTokens, (int)Math.Max(0, most));
    }

    private void Downgrade(TaskRow task, UnitOfWork transition, string from, string why)
    {
        task.Why = $"{Why(task)}; not {from}, because {why}";
        transition.Record(task.CorrelationId, "Downgraded", task.State, $"{from} → {task.Model}: {why}");
        transition.Publish(new LlmTaskDowngraded { TaskId = task.CorrelationId, Tenant = task.Tenant, From = from, To = task.Model!, Reason = why, At = transition.Now, Metadata = MetadataOf(task) });
    }

    private Settlement Learn(TaskRow task, Settlement settlement, CallFinished finished, DateTime now)
    {
        var view = views.Bucket(task.Bucket!);
        // What is admitted here in the next moment must know it; the commit tells the others.
        if (settlement.Sign is { IsAlive: false } sign)
            view?.Learn(row => BreakerRule.Learn(row, sign, settlement.AdmittedAt ?? now - finished.Took, now), now);
        switch (finished.Outcome)
        {
            case CallOutcome.Throttled throttled:
                // Only ever later than asked: a hundred workers that were told the same second must not come in the same millisecond.
                var closing = new Closing(now + throttled.Wait + TimeSpan.FromMilliseconds(chance.Next() * 100), throttled.Detail, throttled.Window);
                view?.Learn(row => BucketRule.Close(row, closing.Until, closing.Reason, closing.Window, settlement.Reserved.Demand, now), now);
                return settlement with { Closing = closing };
            case CallOutcome.OutOfCredit credit:
                return LeftAlone(TimeSpan.FromMinutes(10), $"out of credit: {credit.Detail}");
            case CallOutcome.Unreachable { Wait: { } wait } full:
                return LeftAlone(wait, full.Detail);
            case CallOutcome.ModelGone gone:
                return Disabled($"{DisabledReasons.Gone}: {gone.Detail}");
            case CallOutcome.KeyRefused refused:
                views.ShowKey(finished.KeyAlias, refused.Detail);
                return directory.Find(task.Bucket!)?.Keys.All(k => views.WhyKeyRefused(k.Alias) is not null) == true
                    ? Disabled($"{DisabledReasons.Refused}: {finished.KeyAlias} was refused ({refused.Detail}). Put a valid key into the environment and start again")
                    : settlement;
            default:
                return settlement;
        }

        Settlement LeftAlone(TimeSpan wait, string reason)
        {
            var closing = new Closing(now + wait + TimeSpan.FromMilliseconds(chance.Next() * 100), reason, null) { IsLimit = false };
            view?.Learn(row => BucketRule.LeaveAlone(row, closing.Until, closing.Reason), now);
            return settlement with { Closing = closing };
        }

        Settlement Disabled(string reason)
        {
            view?.Learn(row => row.DisabledReason = reason, now);
            return settlement with { DisabledReason = reason };
        }
    }

    private static AttemptRow EndAttempt(TaskRow task, UnitOfWork transition, string outcome, string? detail)
    {
        var attempt = new AttemptRow { TaskId = task.CorrelationId, Number = task.Attempt, EndedAt = transition.Now, Outcome = outcome, Detail = detail };
        transition.Ended.Add(attempt);
        return attempt;
    }

    private static Reservation ReservationOf(TaskRow task) => new(task.Bucket!, new ResourceDemand(task.PackedWith is null ? 1 : 0, task.ReservedTokens), task.ReservedUsd, (task.ReservedBudgets ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private static void ClearReservation(TaskRow task) => (task.Bucket, task.Model, task.ReservedTokens, task.ReservedUsd, task.ReservedBudgets, task.PackedWith) = (null, null, 0, null, null, null);

    private long? ChargedOnArrival(TaskRow task, CallOutcome outcome) => outcome switch
    {
        CallOutcome.Answered { InputTokens: > 0 } answered when catalogue.Now.Find(ModelId.Parse(task.Model!)) is { ChargesMaxOutput: false } => answered.InputTokens + answered.OutputTokens,
        CallOutcome.Answered { InputTokens: > 0 } answered => answered.InputTokens + (task.State == TaskStates.Classifying ? ClassifierPrompt.OutputTokens(leads: task.PackedWith is null) : task.CallOutputTokens),
        CallOutcome.Throttled or CallOutcome.OutOfCredit or CallOutcome.KeyRefused or CallOutcome.ModelGone or CallOutcome.TooLarge or CallOutcome.HeldBack => 0,
        _ => null,
    };
}
