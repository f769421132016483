using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Limits;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Outcomes;
using LlmQueue.Worker.Planning.Transitions;
using LlmQueue.Worker.Ranking;
using LlmQueue.Worker.Recovery;
using MassTransit;

namespace LlmQueue.Worker.Lifecycle;

/// <summary>
/// Activities that settle a call: its reservation by what the provider charged; limits, estimates and ranking learn from the answer.
/// </summary>
public sealed class SettleActivities(
    CurrentCatalogue catalogue,
    LimitViews views,
    BucketDirectory directory,
    CallEstimates estimates,
    ModelRanking ranking,
    Jitter jitter)
{
    public void Settle(BehaviorContext<TaskRow, CallFinished> context) => Settle(TaskTransition.Of(context), context.Message);

    /// <summary>The worker that made the call is gone.</summary>
    public void Abandon(BehaviorContext<TaskRow, LeaseExpired> context)
    {
        var task = context.Saga;
        CallOutcome outcome = context.Message.IsUnclaimed
            ? new CallOutcome.HeldBack("no worker took the call; is the key of its provider set for a worker?")
            : new CallOutcome.Abandoned("the worker that made the call is gone; whether the provider answered is not known");
        var finished = new CallFinished(task.CorrelationId, task.Attempt, outcome, KeyAlias: "", TimeSpan.Zero, PromptHash: null);
        Settle(TaskTransition.Of(context),
            finished with { Requests = task.Reservation.Lead is null && !context.Message.IsUnclaimed ? 1 : 0 });
    }

    private void Settle(TaskTransition transition, CallFinished finished)
    {
        var (task, outcome) = (transition.Task, finished.Outcome);
        var price = catalogue.Now.Find(ModelId.Parse(task.Model!))?.Price ?? ModelPrice.Unknown;
        var cost = ChargeRule.Cost(outcome, price, task.Reservation.Usd);
        var (input, output) = ChargeRule.Tokens(outcome);

        transition.Work.Settlement = Learn(transition, SettlementOf(transition, finished, cost), finished);
        transition.Work.KeyUse = KeyUseOf(finished, input, output);
        if (outcome is CallOutcome.Answered && task.State != TaskStates.Classifying && task.Pass.Name != TaskPasses.Extraction)
            estimates.Learn(task.Model!, task.CallKind, task.PromptUnits, input, output);
        if (task.State == TaskStates.Calling && task.Model is { } ran)
            transition.Work.WhenCommitted += () => ranking.Learn(task, ran, outcome, finished.Took);

        task.InputTokens += input;
        task.OutputTokens += output;
        task.CostUsd += cost ?? 0;
        task.CostUnknown |= cost is null;
        var attempt = transition.EndAttempt(outcome.Word, outcome.Told);
        (attempt.InputTokens, attempt.OutputTokens, attempt.CostUsd) = (input, output, cost);
        (attempt.LatencyMs, attempt.PromptHash) = ((int)finished.Took.TotalMilliseconds, finished.PromptHash);
        if (outcome is CallOutcome.Answered answered)
            (attempt.ModelVersion, attempt.OutputHash) = (answered.ModelVersion, ContentHash.Of(answered.Text));
        transition.Finished = finished;
        transition.Left = new LeftModel(task.Model!, outcome.Told ?? outcome.Word);
    }

    private Settlement SettlementOf(TaskTransition transition, CallFinished finished, decimal? cost)
    {
        var outcome = finished.Outcome;
        var used = ChargeRule.Used(outcome, transition.Task.Reservation.Tokens);
        return new Settlement
        {
            Reserved = transition.Reservation,
            Used = used with { Requests = Math.Min(used.Requests, finished.Requests) },
            SpentUsd = cost, Count = outcome.Count, Began = transition.Now - finished.Took, AdmittedAt = finished.AdmittedAt,
            ChargedOnArrival = ChargedOnArrival(transition.Task, outcome),
            WasAnswered = outcome is CallOutcome.Answered && finished.Requests > 0,
            // Of questions that shared a call, the one that counts as its request speaks for the provider's health.
            Sign = finished.Requests > 0 && outcome.Sign is { } sign ? sign with { OpensBreaker = finished.OpensBreaker } : null,
        };
    }

    private static KeyUse? KeyUseOf(CallFinished finished, long input, long output)
    {
        if (finished.KeyAlias.Length == 0)
            return null;
        var (outcome, isCall) = (finished.Outcome, finished.Requests > 0);
        return new KeyUse(
            finished.KeyAlias, input, output,
            Throttled: outcome is CallOutcome.Throttled && isCall,
            Fault: (outcome.IsProvidersFault || outcome is CallOutcome.Malformed) && isCall,
            RefusedReason: (outcome as CallOutcome.KeyRefused)?.Detail)
        { Calls = finished.Requests };
    }

    private long? ChargedOnArrival(TaskRow task, CallOutcome outcome)
    {
        if (outcome is CallOutcome.Answered { InputTokens: > 0 } answered)
        {
            if (catalogue.Now.Find(ModelId.Parse(task.Model!)) is { ChargesMaxOutput: false })
                return answered.InputTokens + answered.OutputTokens;
            var isQuestion = task.State == TaskStates.Classifying;
            return answered.InputTokens
                + (isQuestion ? ClassifierPrompt.OutputTokens(leads: task.Reservation.Lead is null) : task.CallOutputTokens);
        }

        var wasRefused = outcome is CallOutcome.Throttled or CallOutcome.OutOfCredit or CallOutcome.KeyRefused or CallOutcome.ModelGone
            or CallOutcome.TooLarge or CallOutcome.HeldBack;
        return wasRefused ? 0 : null;
    }

    /// <summary>What is admitted by this process in the next moment must know it at once; the commit tells the others.</summary>
    private Settlement Learn(TaskTransition transition, Settlement settlement, CallFinished finished)
    {
        var (bucket, now, reserved) = (transition.Task.Reservation.Bucket!, transition.Now, settlement.Reserved.Demand);
        var view = views.Bucket(bucket);
        if (settlement.Sign is { IsAlive: false } sign)
            view?.Learn(row => BreakerRule.Learn(row, sign, settlement.AdmittedAt ?? now - finished.Took, now), now);
        switch (finished.Outcome)
        {
            case CallOutcome.Throttled throttled:
                var closing = new Closing(Later(now + throttled.Wait), throttled.Detail, throttled.Window);
                view?.Learn(row => BucketRule.Close(row, closing.Until, closing.Reason, closing.Window, reserved, now), now);
                return settlement with { Closing = closing };
            case CallOutcome.OutOfCredit credit:
                return LeftAlone(TimeSpan.FromMinutes(10), $"out of credit: {credit.Detail}");
            case CallOutcome.Unreachable { Wait: { } wait } full:
                return LeftAlone(wait, full.Detail);
            case CallOutcome.ModelGone gone:
                return Disabled(DisabledReason.ModelGone(gone.Detail));
            case CallOutcome.KeyRefused refused:
                views.ShowKey(finished.KeyAlias, refused.Detail);
                return directory.Find(bucket)?.Keys.All(k => views.WhyKeyRefused(k.Alias) is not null) == true
                    ? Disabled(DisabledReason.NoKeyAccepted($"{finished.KeyAlias} was refused ({refused.Detail}). "
                        + "Put a valid key into the environment and start again"))
                    : settlement;
            default:
                return settlement;
        }

        Settlement LeftAlone(TimeSpan wait, string reason)
        {
            var closing = new Closing(Later(now + wait), reason, null) { IsLimit = false };
            view?.Learn(row => BucketRule.LeaveAlone(row, closing.Until, closing.Reason), now);
            return settlement with { Closing = closing };
        }

        Settlement Disabled(DisabledReason reason)
        {
            view?.Learn(row => row.DisabledReason = reason, now);
            return settlement with { DisabledReason = reason };
        }
    }

    /// <summary>
    /// Only ever later than asked: a hundred workers that were told the same second must not come in the same millisecond.
    /// </summary>
    private DateTime Later(DateTime asked) => asked + TimeSpan.FromMilliseconds(jitter.Next() * 100);
}
