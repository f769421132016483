using LlmQueue.Catalogue;
using LlmQueue.Limits;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Calling.Guards;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Outcomes;
using LlmQueue.Worker.Passes;
using LlmQueue.Worker.Planning.Transitions;
using LlmQueue.Worker.Recovery;
using LlmQueue.Worker.Routing;
using MassTransit;

namespace LlmQueue.Worker.Lifecycle;

/// <summary>Activities for the outcome of a call: the rules decide what follows, and it is written into the row.</summary>
public sealed class OutcomeActivities(
    CurrentCatalogue catalogue,
    LimitViews views,
    ModelAvailability availability,
    ClassificationCache cache,
    WorkerOptions options,
    Jitter jitter)
{
    /// <summary>What the small model said, or the default route: a task is never held up by its classification.</summary>
    public void KeepClassification(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        var (task, finished) = (transition.Task, transition.Finished!);
        transition.ClearReservation();
        transition.Left = null;
        var said = finished.Outcome is CallOutcome.Answered answered ? ClassifierPrompt.Read(answered.Text) : null;
        if (said is not null && finished.PromptHash is { } hash)
            cache.Keep(hash, said, transition.Now);
        transition.Classify(said is null
            ? ClassificationRule.Default(task.Kind, task.Complexity)
            : ClassificationRule.Under(task.Kind, task.Complexity, said));
        transition.Record("Classified", said is null
            ? $"the small model gave nothing usable ({finished.Outcome.Word}), so the default route is taken"
            : $"the small model: {said.Kind}, {said.Complexity}, confidence {said.Confidence:0.00}");
    }

    /// <summary>One decision for each outcome; see <see cref="RecoveryRule"/> and <see cref="FollowUpRule"/>.</summary>
    public void DecideFollowUp(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        var (task, outcome) = (transition.Task, UsableOutcome(transition));
        var decision = RecoveryRule.Decide(outcome, TrialOf(transition), options, jitter.Next());
        var followUp = FollowUpRule.Decide(decision, EndedCallOf(transition, outcome), options.MaxFaults);

        transition.ClearReservation();
        if (followUp.Reason is { } reason)
            transition.Record(outcome.Entry, reason);
        if (followUp.Chain is { } chain)
            task.Route = task.Route with { Chain = ModelChain.Of(chain) };
        (task.Faults, task.Outages) = (followUp.Faults, followUp.Outages);
        if (followUp.EndsPool)
            task.Route = task.Route with { LoadBalanced = false };
        if (followUp.MaxOutputTokens is { } more)
        {
            // A pass that limits its own answer has that limit raised; what was asked of the answer itself stays.
            if (task.Pass.OutputTokens is null)
                task.MaxOutputTokens = more;
            else
                task.Pass = task.Pass with { OutputTokens = more };
            // The same model is asked again, so that no other is a downgrade from it.
            transition.Left = null;
        }

        transition.AfterCall = followUp.Next;
    }

    /// <summary>An extraction that is not the object it should be is no answer: another model is asked, as after any half answer.</summary>
    private static CallOutcome UsableOutcome(TaskTransition transition)
    {
        var outcome = transition.Finished!.Outcome;
        if (transition.Task.Pass.Name != TaskPasses.Extraction || outcome is not CallOutcome.Answered answer)
            return outcome;
        if (ExtractionPrompt.Read(answer.Text) is not null)
            return outcome;
        const string Detail = "what it made of the images is not the JSON that was asked for";
        return new CallOutcome.Malformed(Detail, answer.InputTokens, answer.OutputTokens);
    }

    private EndedCall EndedCallOf(TaskTransition transition, CallOutcome outcome)
    {
        var task = transition.Task;
        var chain = (task.Route.Chain ?? ModelChain.Nobody).Names;
        return new EndedCall(task.Model!, chain, [.. CallTimeoutRule.Untried(chain, task.Model!, task.Faults)], task.Faults, task.Outages)
        {
            Pass = task.Pass.Name, HasDraft = transition.HasDraft,
            Replacement = outcome is CallOutcome.ModelGone ? availability.ReplacementOf(task.Model!, transition.Now) : null,
        };
    }

    private Trial TrialOf(TaskTransition transition)
    {
        var (task, now, took) = (transition.Task, transition.Now, transition.Finished!.Took);
        var row = views.Bucket(task.Reservation.Bucket!)?.At(now);
        var model = catalogue.Now.Find(ModelId.Parse(task.Model!));
        var othersWereAnswered = row?.AnsweredAt >= now - took && BreakerRule.StateOf(row, now) == BreakerState.Closed;
        var hasTime = task.Deadline is not null || now - task.SubmittedAt < options.KeepTrying;
        var prompt = task.Reservation.Tokens - task.CallOutputTokens;
        var window = (model?.Context ?? int.MaxValue) - prompt;
        var minute = ((row?.TokensPerMinute ?? int.MaxValue) * 0.95) - prompt;
        var most = (int)Math.Max(0, Math.Min(model?.MaxOutput ?? task.CallOutputTokens, Math.Min(window, minute)));
        return new Trial(task.Model!, task.Faults, task.Outages, othersWereAnswered, hasTime, task.CallOutputTokens, most);
    }
}
