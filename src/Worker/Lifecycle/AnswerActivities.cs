using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Outcomes;
using LlmQueue.Worker.Passes;
using LlmQueue.Worker.Planning.Transitions;
using LlmQueue.Worker.Ranking;
using LlmQueue.Worker.Recovery;
using MassTransit;

namespace LlmQueue.Worker.Lifecycle;

/// <summary>
/// Activities for the result of a call: it is kept as the answer, or as the result of its pass, and the next pass begins where one is
/// needed.
/// </summary>
public sealed class AnswerActivities(PayloadReader payloads, ModelRanking ranking)
{
    /// <summary>Keeps what an answered call gave; nothing is done after another outcome.</summary>
    public void TakeAnswer(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        if (transition.AfterCall is AfterCall.TakeAnswer taken)
            transition.AfterCall = Take(transition, taken.Answer, taken.Model);
    }

    /// <summary>The text that an earlier pass gave is the answer, and why.</summary>
    public async Task KeepAnswer(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        var task = transition.Task;
        var (part, reason) = (transition.Next, transition.AfterCall) switch
        {
            (NextStep.KeepAnswer step, _) => (step.Part, step.Reason),
            (_, AfterCall.KeepAnswer after) => (after.Part, after.Reason),
            _ => (PayloadRow.Draft, $"its deadline {task.Deadline:yyyy-MM-dd HH:mm:ss} UTC passed before the {task.Pass.Name} was there"),
        };
        transition.Work.Record(task.CorrelationId, part == PayloadRow.Draft ? "DraftKept" : "RevisionKept", TaskStates.Completed,
            $"the {part} is the answer: {reason}");
        EndActivities.KeepAnswer(transition, await payloads.Read(transition, part), task.Pass.DraftedBy!);
        EndActivities.Complete(context);
    }

    private AfterCall Take(TaskTransition transition, CallOutcome.Answered answer, string model)
    {
        var task = transition.Task;
        if (TaskPasses.IsPart(task.Pass.Name))
            return TakeNotes(transition, task.Pass.Name, answer.Text, model);
        if (task.Pass.Name == TaskPasses.Extraction)
        {
            transition.AddPayload(TaskPasses.Extraction, ExtractionPrompt.Read(answer.Text)!);
            transition.Record("Extracted", $"by {model}");
            return new AfterCall.BeginPass(TaskPasses.Draft, []);
        }

        if (answer.Ending is { } ending)
            transition.AddPayload(PayloadRow.Ending, ending);
        // A call of tools is for the caller to make, not for a critic to judge.
        if (task.HighStakes && !answer.CallsTools)
            return TakePass(transition, answer.Text, model);
        EndActivities.KeepAnswer(transition, answer.Text, model);
        return new AfterCall.Complete();
    }

    /// <summary>The notes of a part; then comes the next part, and after the last one the question.</summary>
    private static AfterCall TakeNotes(TaskTransition transition, string part, string notes, string model)
    {
        var task = transition.Task;
        var (number, count) = TaskPasses.PlaceOf(part);
        transition.AddPayload(part, notes);
        transition.Record("Noted", $"{TaskPasses.Describe(part)} by {model}");
        if (task.Deadline <= transition.Now)
            return new AfterCall.Fail($"Its deadline {task.Deadline:yyyy-MM-dd HH:mm:ss} UTC passed when "
                + $"{TaskPasses.Describe(part)} had been read; the notes so far are among its passes.");
        return new AfterCall.BeginPass(number < count ? TaskPasses.PartOf(number + 1, count) : TaskPasses.Draft, []);
    }

    /// <summary>A draft, its critique, its revision or the verdict on that; <see cref="PassRule"/> says what follows.</summary>
    private AfterCall TakePass(TaskTransition transition, string text, string model)
    {
        var task = transition.Task;
        transition.AddPayload(task.Pass.Name ?? TaskPasses.Draft, text);
        var critique = task.Pass.Name is TaskPasses.Critique or TaskPasses.Verdict ? CritiquePrompt.Read(text) : null;
        transition.Record(
            task.Pass.Name switch { null or TaskPasses.Draft => "Drafted", TaskPasses.Revision => "Revised", _ => "Critiqued" },
            critique is null
                ? $"by {model}"
                : $"by {model}: {(critique.Accepts ? "accept" : "revise")}, score {PassRule.Shown(critique.Score)}, "
                    + $"{critique.Issues.Count} issues");
        var pass = TaskPasses.IsTheAnswer(task.Pass.Name) ? null : task.Pass.Name;
        var decision = PassRule.After(pass, critique, task.Pass.DraftScore, task.Deadline, transition.Now);
        if (pass is null)
            task.Pass = task.Pass with { DraftedBy = model };
        else if (pass == TaskPasses.Critique)
            RateDraft(transition, critique, model);

        return decision switch
        {
            PassDecision.Begin begin => new AfterCall.BeginPass(begin.Pass, begin.Issues),
            PassDecision.KeepDraft draft => new AfterCall.KeepAnswer(PayloadRow.Draft, draft.Reason),
            PassDecision.KeepRevision revision => new AfterCall.KeepAnswer(TaskPasses.Revision, revision.Reason),
            var other => throw new InvalidOperationException($"No step is written for {other.GetType().Name}."),
        };
    }

    private void RateDraft(TaskTransition transition, Critique? critique, string critic)
    {
        var task = transition.Task;
        task.Pass = task.Pass with { Critic = critic, DraftScore = critique?.Score };
        if (critique is not null && task.Pass.DraftedBy is { } author)
            transition.Work.WhenCommitted += () => ranking.Rate(task, author, critique.Score);
    }
}
