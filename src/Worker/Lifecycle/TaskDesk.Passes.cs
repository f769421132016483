using LlmQueue.Worker.Estimation;
using System.Text.Json;
using LlmQueue.Store.Catalogue;
using LlmQueue.Store.Commits;
using LlmQueue.Store.Rows;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Calling;
using LlmQueue.Worker.Passes;
using LlmQueue.Worker.Selection;
using MassTransit;

namespace LlmQueue.Worker.Lifecycle;

// Passes: what a pass gave is kept in a row of its own, and the next one is written into the task's row as an errand like any other,
// so that a wait, a fault or a restart in it needs no more than they do in the first.
public sealed partial class TaskDesk
{
    public bool HasDraft(BehaviorContext<TaskRow, LlmQueue.Contracts.DeadlinePassed> context) => HasDraft(context.Saga);

    /// <summary>True when the pass it is at is called in that state.</summary>
    public static StateMachineCondition<TaskRow, T> Calls<T>(string state) where T : class => context => TaskPasses.StateOf(context.Saga.Pass) == state;

    /// <summary>Writes the next pass into the row: who may answer it, how long it is, and in a payload of its own what is sent.</summary>
    public async Task BeginPass<T>(BehaviorContext<TaskRow, T> context) where T : class
    {
        var (task, transition) = (context.Saga, Of(context));
        var next = (AfterCall.NextPass)transition.Decision!;
        var question = (await ReadPrompt(task.CorrelationId)).Messages;
        var former = await PartOf(context, next.Pass == TaskPasses.Verdict ? TaskPasses.Revision : PayloadRow.Draft);
        var messages = next.Pass == TaskPasses.Revision ? RevisionPrompt.Messages(question, former, next.Issues) : CritiquePrompt.Messages(question, former);

        task.Pass = next.Pass;
        task.PassOutputTokens = next.Pass == TaskPasses.Revision ? null : CritiquePrompt.MaxOutputTokens;
        task.PromptUnits = TokenEstimateRule.UnitsWithFrame(messages);
        task.PromptTokens = TokenEstimateRule.Estimate(task.PromptUnits, TokenCalibration.None);
        (task.Spread, task.Faults) = (false, 0);
        var request = new RouteRequest { PromptTokens = task.PromptTokens, MaxOutputTokens = task.CallOutputTokens };
        task.Chain = string.Join(' ', RoutingRule.Able(WhoMay(task, DateOnly.FromDateTime(transition.Now)), request, catalogue.Now, Conditions(transition.Now)));
        transition.Left = null;
        transition.Payloads.Add(new PayloadRow { SubjectId = task.CorrelationId, Part = PayloadRow.PromptOf(next.Pass), Content = JsonSerializer.Serialize(messages, Transition.Json) });
    }

    /// <summary>What a former pass gave is the answer, and why.</summary>
    public async Task KeepAnswer<T>(BehaviorContext<TaskRow, T> context) where T : class
    {
        var (task, transition) = (context.Saga, Of(context));
        var (part, reason) = transition.Decision switch
        {
            NextStep.Keep step => (step.Part, step.Reason),
            AfterCall.Keep after => (after.Part, after.Reason),
            _ => (PayloadRow.Draft, $"its deadline {task.Deadline:yyyy-MM-dd HH:mm:ss} UTC passed before the {task.Pass} was there"),
        };
        transition.Record(task.CorrelationId, part == PayloadRow.Draft ? "DraftKept" : "RevisionKept", TaskStates.Completed, $"the {part} is the answer: {reason}");
        Answered(task, transition, await PartOf(context, part), task.DraftedBy!);
        Complete(context);
    }

    /// <summary>Keeps what a pass gave and asks the rule what follows.</summary>
    private static AfterCall AfterPass(TaskRow task, Transition transition, CallOutcome.Answered answer, string model)
    {
        transition.Payloads.Add(new PayloadRow { SubjectId = task.CorrelationId, Part = task.Pass ?? PayloadRow.Draft, Content = answer.Text });
        var critique = task.Pass is TaskPasses.Critique or TaskPasses.Verdict ? CritiquePrompt.Read(answer.Text) : null;
        transition.Record(task.CorrelationId, task.Pass switch { null => "Drafted", TaskPasses.Revision => "Revised", _ => "Critiqued" }, task.State,
            critique is null ? $"by {model}" : $"by {model}: {(critique.Accepts ? "accept" : "revise")}, score {PassRule.Shown(critique.Score)}, {critique.Issues.Count} issues");
        var decision = PassRule.After(task.Pass, critique, task.DraftScore, task.Deadline, transition.Now);
        switch (task.Pass)
        {
            case null:
                task.DraftedBy = model;
                break;
            case TaskPasses.Critique:
                (task.Critic, task.DraftScore) = (model, critique?.Score);
                break;
        }

        return decision switch
        {
            PassDecision.Begin begin => new AfterCall.NextPass(begin.Pass, begin.Issues),
            PassDecision.KeepDraft draft => new AfterCall.Keep(PayloadRow.Draft, draft.Reason),
            PassDecision.KeepRevision revision => new AfterCall.Keep(TaskPasses.Revision, revision.Reason),
            var other => throw new InvalidOperationException($"No step is written for {other.GetType().Name}."),
        };
    }

    /// <summary>Nothing more can be done in this pass: a draft that stands is the answer all the same.</summary>
    private static AfterCall Lost(TaskRow task, string reason) =>
        HasDraft(task) ? new AfterCall.Keep(PayloadRow.Draft, $"nobody gave the {task.Pass}: {reason}") : new AfterCall.Fail(reason);

    private static bool HasDraft(TaskRow task) => task.DraftedBy is not null;

    /// <summary>The models that may be asked: any critic but the draft's own author, under whichever provider; its author alone; the critic that scored the draft, alone.</summary>
    private IEnumerable<ModelId> WhoMay(TaskRow task, DateOnly today)
    {
        var author = ModelId.Parse(task.DraftedBy!);
        return task.Pass switch
        {
            TaskPasses.Critique => catalogue.Now.InService(catalogue.Now.Critics, today).Where(critic => critic.Name != author.Name),
            TaskPasses.Revision => [author],
            _ => [ModelId.Parse(task.Critic!)],
        };
    }

    private async Task<string> PartOf(BehaviorContext<TaskRow> context, string part) =>
        Of(context).Payloads.Find(p => p.Part == part)?.Content ?? await ReadPayload(context.Saga.CorrelationId, part);

    /// <summary>Why this call is made at all: its route, or the pass it is for.</summary>
    private string? Why(TaskRow task) => task.Pass switch
    {
        null when task.HighStakes => $"draft; {task.Route}",
        null => WhyHere(task),
        TaskPasses.Critique => $"critique of the draft by {task.DraftedBy}",
        TaskPasses.Revision => $"revision after the critique by {task.Critic}",
        _ => $"critique of the revision by {task.DraftedBy}",
    };
}
