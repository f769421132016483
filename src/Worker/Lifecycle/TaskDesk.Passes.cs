using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Limits;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Calling.Providers;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Outcomes;
using LlmQueue.Worker.Passes;
using LlmQueue.Worker.Routing;
using MassTransit;

namespace LlmQueue.Worker.Lifecycle;

// Passes: what a pass gave is kept in a row of its own, and the next one is written into the task's row as an errand like any other,
// so that a wait, a fault or a restart in it needs no more than they do in the first.
public sealed partial class TaskDesk
{
    public bool HasDraft(BehaviorContext<TaskRow, DeadlinePassed> context) => HasDraft(context.Saga);

    /// <summary>True when the pass it is at is called in that state.</summary>
    public static StateMachineCondition<TaskRow, T> Calls<T>(string state) where T : class => context => TaskPasses.StateOf(context.Saga.Pass) == state;

    /// <summary>A task with images begins with a model that reads them; null when it may ask for room.</summary>
    private NextStep? BeginExtraction(TaskRow task, UnitOfWork transition, IReadOnlyList<LlmMessage> question)
    {
        var (table, conditions) = (catalogue.Now, Conditions(transition.Now));
        var seeing = (table.Extractors.Count > 0 ? table.Extractors : table.Models.Where(m => m.Vision).Select(m => m.Id)).ToList();
        var messages = ExtractionPrompt.Messages(question);
        var images = seeing.Select(id => id.Provider).Distinct().Where(conditions.HasKey).Select(provider => ProviderRegistry.Of(provider).ImageTokens(question)).DefaultIfEmpty(0).Max();
        Fit(task, TaskPasses.Extraction, TokenEstimateRule.UnitsWithFrame(messages) + images, ExtractionPrompt.MaxOutputTokens);
        var able = RoutingRule.Able(seeing, RequestOf(task), table, conditions);
        if (able.Count == 0)
            return new NextStep.Reject($"The task has images, and no model that reads them can take it: {(seeing.Exists(id => conditions.HasKey(id.Provider)) ? $"they and the request are estimated at {task.PromptTokens} tokens, more than any of {string.Join(", ", seeing)} takes in one call; make them smaller or fewer" : $"no provider of {string.Join(", ", seeing)} has a key; set one, or send text")}.");
        task.Chain = string.Join(' ', able);
        return null;
    }

    /// <summary>Writes the next pass into the row: who may answer it, how long it is, and in a payload of its own what is sent.</summary>
    public async Task BeginPass<T>(BehaviorContext<TaskRow, T> context) where T : class
    {
        var (task, transition) = (context.Saga, Of(context));
        var next = (AfterCall.NextPass)transition.Decision!;
        transition.Left = null;
        if (TaskPasses.IsPart(next.Pass))
        {
            await BeginPart(context, next.Pass);
            return;
        }

        var question = await ReadQuestion(task.CorrelationId);
        var messages = next.Pass switch
        {
            TaskPasses.Draft when TaskPasses.IsPart(task.Pass) => await WithEarlierTurns(task, transition, await WithNotes(context, question)),
            TaskPasses.Draft => await WithEarlierTurns(task, transition, ExtractionPrompt.Compiled(question.Messages, await PartOf(context, TaskPasses.Extraction))),
            TaskPasses.Revision => RevisionPrompt.Messages(question.Messages, await PartOf(context, PayloadRow.Draft), next.Issues),
            TaskPasses.Critique => CritiquePrompt.Messages(question.Messages, await PartOf(context, PayloadRow.Draft)),
            _ => CritiquePrompt.Messages(question.Messages, await PartOf(context, TaskPasses.Revision)),
        };
        // What its producer said of the answer holds for whatever becomes the answer; only the first writing of it can be read along.
        var prompt = next.Pass is TaskPasses.Draft or TaskPasses.Revision ? new StoredPrompt(messages, question.Parameters, question.Stream && next.Pass == TaskPasses.Draft) : new StoredPrompt(messages, null);
        Fit(task, next.Pass, TokenEstimateRule.UnitsWithFrame(prompt.Weighed()), next.Pass is TaskPasses.Critique or TaskPasses.Verdict ? CritiquePrompt.MaxOutputTokens : null);
        // The question itself goes the ordinary way: what it is, and who is asked, is decided when room is sought.
        task.Chain = next.Pass == TaskPasses.Draft ? null
            : string.Join(' ', RoutingRule.Able(WhoMay(task, DateOnly.FromDateTime(transition.Now)), RequestOf(task), catalogue.Now, Conditions(transition.Now)));
        transition.Payloads.Add(new PayloadRow { SubjectId = task.CorrelationId, Part = PayloadRow.PromptOf(next.Pass), Content = StoredPrompt.Write(prompt.Messages, prompt.Parameters, prompt.Stream) });
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

    /// <summary>An answer is what its pass was for: that is kept, and the next pass begins, or none is needed.</summary>
    private AfterCall Given(TaskRow task, UnitOfWork transition, CallOutcome.Answered answer, string model)
    {
        if (TaskPasses.IsPart(task.Pass))
            return Noted(task, transition, answer, model);
        if (task.Pass != TaskPasses.Extraction)
        {
            if (answer.Ending is { } ending)
                transition.Payloads.Add(new PayloadRow { SubjectId = task.CorrelationId, Part = PayloadRow.Ending, Content = ending });
            // A call of tools is for the caller to make, not for a critic to judge.
            return task.HighStakes && !answer.CallsTools ? AfterPass(task, transition, answer, model) : Answered(task, transition, answer.Text, model);
        }

        transition.Payloads.Add(new PayloadRow { SubjectId = task.CorrelationId, Part = TaskPasses.Extraction, Content = ExtractionPrompt.Read(answer.Text)! });
        transition.Record(task.CorrelationId, "Extracted", task.State, $"by {model}");
        return new AfterCall.NextPass(TaskPasses.Draft, []);
    }

    /// <summary>An extraction that is not the object it should be is no answer: another model is asked, as after any half answer.</summary>
    private static CallOutcome Usable(TaskRow task, CallOutcome outcome) =>
        task.Pass == TaskPasses.Extraction && outcome is CallOutcome.Answered answer && ExtractionPrompt.Read(answer.Text) is null
            ? new CallOutcome.Malformed("what it made of the images is not the JSON that was asked for", answer.InputTokens, answer.OutputTokens) : outcome;

    /// <summary>Keeps what a pass gave and asks the rule what follows.</summary>
    private AfterCall AfterPass(TaskRow task, UnitOfWork transition, CallOutcome.Answered answer, string model)
    {
        transition.Payloads.Add(new PayloadRow { SubjectId = task.CorrelationId, Part = task.Pass ?? TaskPasses.Draft, Content = answer.Text });
        var critique = task.Pass is TaskPasses.Critique or TaskPasses.Verdict ? CritiquePrompt.Read(answer.Text) : null;
        transition.Record(task.CorrelationId, task.Pass switch { null or TaskPasses.Draft => "Drafted", TaskPasses.Revision => "Revised", _ => "Critiqued" }, task.State,
            critique is null ? $"by {model}" : $"by {model}: {(critique.Accepts ? "accept" : "revise")}, score {PassRule.Shown(critique.Score)}, {critique.Issues.Count} issues");
        var decision = PassRule.After(TaskPasses.IsTheAnswer(task.Pass) ? null : task.Pass, critique, task.DraftScore, task.Deadline, transition.Now);
        switch (task.Pass)
        {
            case null or TaskPasses.Draft:
                task.DraftedBy = model;
                break;
            case TaskPasses.Critique:
                (task.Critic, task.DraftScore) = (model, critique?.Score);
                if (critique is not null && task.DraftedBy is { } author)
                    transition.WhenCommitted += () => ranking.Rate(task, author, critique.Score);
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
        HasDraft(task) ? new AfterCall.Keep(PayloadRow.Draft, $"nobody gave the {task.Pass}: {reason}")
            : new AfterCall.Fail(task.Pass == TaskPasses.Extraction ? $"Its images could not be read: {reason}" : TaskPasses.IsPart(task.Pass) ? $"Of its prompt, {Place(task.Pass)} could not be read: {reason}" : reason);

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

    private static void Fit(TaskRow task, string pass, double units, int? outputTokens)
    {
        (task.Pass, task.PassOutputTokens, task.PromptUnits) = (pass, outputTokens, units);
        task.PromptTokens = TokenEstimateRule.Estimate(units, TokenCalibration.None);
        (task.Spread, task.Faults) = (false, 0);
    }

    private static RouteRequest RequestOf(TaskRow task) => new() { PromptTokens = task.PromptTokens, MaxOutputTokens = task.CallOutputTokens };

    /// <summary>The question as it was put: as it came, or as something was made of it.</summary>
    private async Task<StoredPrompt> ReadQuestion(Guid taskId) => StoredPrompt.Read(await payloads.ReadQuestion(taskId));

    private async Task<string> PartOf(BehaviorContext<TaskRow> context, string part) =>
        Of(context).Payloads.Find(p => p.Part == part)?.Content ?? await ReadPayload(context.Saga.CorrelationId, part);

    /// <summary>Why this call is made at all: its route, or the pass it is for.</summary>
    private string? Why(TaskRow task) => task.Pass switch
    {
        null or TaskPasses.Draft => task.HighStakes ? $"draft; {task.Route}" : WhyHere(task),
        TaskPasses.Extraction => "extraction of what its images show",
        _ when TaskPasses.IsPart(task.Pass) => $"{Place(task.Pass)}: notes for the answer",
        TaskPasses.Critique => $"critique of the draft by {task.DraftedBy}",
        TaskPasses.Revision => $"revision after the critique by {task.Critic}",
        _ => $"critique of the revision by {task.DraftedBy}",
    };
}
