using LlmQueue.Contracts;
using LlmQueue.Store;
using LlmQueue.Store.Catalogue;
using LlmQueue.Store.Commits;
using LlmQueue.Store.Intake;
using LlmQueue.Store.Rows;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Selection;
using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Worker.Lifecycle;

/// <summary>Does what the machine's verbs say: asks the rules and records what they decide in the transition. Sends nothing, writes nothing.</summary>
public sealed partial class TaskDesk(CurrentCatalogue catalogue, BucketDirectory directory, AdmissionDesk admission, LimitViews views, LineDirectory lines,
    IDbContextFactory<QueueDb> contexts, WorkerOptions options, KeyChoice keys, Chance chance, UsableProviders providers, Calibrations calibrations, ClassificationCache known, SystemLoad load)
{
    // ---- Taking in ----

    public TaskRow TakeIn(ConsumeContext<LlmTask> context, DateTime now)
    {
        var taken = TaskIntake.Read(context.Message, MessageIdentity.Of(context, context.Message.Id), tenant: null, now);
        context.GetPayload<Transition>().Decision = taken;
        return taken.Row;
    }

    public void Accept(BehaviorContext<TaskRow, LlmTask> context)
    {
        var transition = Of(context);
        var taken = (TakenIn)transition.Decision!;
        transition.Payloads.Add(taken.PromptRow);
        transition.Record(context.Saga.CorrelationId, "Submitted", TaskStates.Submitted);
        if (taken.Refusal is { } refusal)
            transition.Decision = new NextStep.Reject(refusal);
        else
            Prepare(context.Saga, transition, TaskIntake.ReadPrompt(taken.Prompt));
    }

    public bool IsRefused(BehaviorContext<TaskRow, LlmTask> context) => Of(context).Decision is NextStep.Reject;

    public bool Decided<TDecision>(BehaviorContext<TaskRow> context) => Of(context).Decision is TDecision;

    // ---- Seeking room ----

    /// <summary>Classifies and routes a task that has no chain yet, then asks admission.</summary>
    public async Task AskForRoom<T>(BehaviorContext<TaskRow, T> context) where T : class
    {
        var (task, transition) = (context.Saga, Of(context));
        if (task.PromptTokens == 0)
            Prepare(task, transition, TaskIntake.ReadPrompt(await ReadPrompt(task.CorrelationId)));
        if (task is { Chain: null, ClassifiedBy: null, RequestedModel: null } && await IsToBeAsked(task, transition, await PromptOf(context)))
        {
            transition.Decision = new NextStep.AskClassifier();
            return;
        }

        if (task.Chain is null && Route(task, transition) is { } refusal)
        {
            transition.Decision = refusal;
            return;
        }

        var decision = await admission.Decide(task, transition, Errand.Of(task));
        if (decision is AdmissionDecision.Impossible && !Errand.Models(task.Chain).Any(id => directory.Of(id).Count > 0))
        {
            // The catalogue has changed since it was routed, and no model of its chain is there any more.
            task.Spread = false;
            if (Route(task, transition) is { } nobody)
            {
                transition.Decision = nobody;
                return;
            }

            decision = await admission.Decide(task, transition, Errand.Of(task));
        }

        var firstChoice = task.Chain!.Split(' ')[0];
        transition.Decision = decision switch
        {
            AdmissionDecision.Open open => new NextStep.Call(open.WhyNotFirst, firstChoice),
            AdmissionDecision.NoRoom full => new NextStep.StandInLine(full),
            AdmissionDecision.NoMoney broke => new NextStep.WaitForMoney(broke),
            AdmissionDecision.Impossible impossible when task.Attempt == 0 => new NextStep.Reject(impossible.Reason),
            AdmissionDecision.Impossible impossible => new NextStep.Fail(impossible.Reason),
            var other => throw new InvalidOperationException($"No step is written for {other.GetType().Name}."),
        };
    }

    private NextStep? Route(TaskRow task, Transition transition)
    {
        var request = new RouteRequest
        {
            Kind = task.Kind, Complexity = task.Complexity, Priority = Priorities.Name(task.Priority), HighStakes = task.HighStakes,
            PromptTokens = task.PromptTokens, MaxOutputTokens = task.MaxOutputTokens, Model = task.RequestedModel,
            Agent = task.Agent, Tenant = task.Tenant, ConversationTurns = task.Turns,
            // A conversation that is handed in whole was handed in for a reason, unless somebody has looked and found none.
            NeedsContext = task.NeedsContext ?? task.Turns > 1,
            Confidence = task.Confidence ?? 1, AlsoLikely = (transition.Classified as Classification.Classification)?.AlsoLikely ?? [],
        };
        var (table, conditions) = (catalogue.Now, new RouteConditions(providers.Has, DateOnly.FromDateTime(transition.Now), LargestMinute) { Load = load.At(transition.Now) });
        switch (RoutingRule.Decide(request, table, conditions))
        {
            case Routed routed:
                transition.Stage = Counted(task, request, routed, table, conditions);
                task.Route = task.RequestedModel is not null ? routed.Rule : $"{routed.Rule}; {task.ClassifiedBy} said {task.Kind}, {task.Complexity}{(task.ClassifiedBy is Stages.Producer or Stages.Default ? "" : $" ({task.Confidence:0.00})")}";
                task.Chain = string.Join(' ', routed.Models);
                return null;
            case NoModel none:
                return new NextStep.Reject(none.Reason);
            case var other:
                throw new InvalidOperationException($"No step is written for {other.GetType().Name}.");
        }
    }

    /// <summary>For the count: where the task goes, and where it would have gone if nobody had said what it is.</summary>
    private static StageDecision? Counted(TaskRow task, RouteRequest request, Routed routed, ModelCatalogue table, RouteConditions conditions)
    {
        if (task.ClassifiedBy is not { } stage || task.RequestedModel is not null)
            return null;
        var without = stage is Stages.Producer or Stages.Default ? routed : RoutingRule.Decide(request with { Kind = null, Complexity = null, Confidence = 1, AlsoLikely = [] }, table, conditions) as Routed;
        return new StageDecision(stage, routed.Models[0].ToString(), without?.Models[0].ToString() ?? "none");
    }

    /// <summary>The prompt is in the transition when the task was just taken in, else in its row.</summary>
    private async Task<string> PromptOf(BehaviorContext<TaskRow> context) =>
        Of(context).Payloads.Find(p => p.Part == PayloadRow.Prompt) is { } fresh ? fresh.Content : await ReadPrompt(context.Saga.CorrelationId);

    /// <summary>The most tokens a minute that any organisation has of a model, as learned; null where one has no limit.</summary>
    private long? LargestMinute(ModelEntry model)
    {
        double largest = 0;
        foreach (var bucket in directory.Of(model.Id))
        {
            if (views.Bucket(bucket.Id)?.TokensPerMinute is not { } limit)
                return null;
            largest = Math.Max(largest, limit);
        }

        return (long)largest;
    }

    private async Task<string> ReadPrompt(Guid taskId)
    {
        await using var db = await contexts.CreateDbContextAsync();
        var prompt = await db.Payloads.AsNoTracking().Where(p => p.SubjectId == taskId && p.Part == PayloadRow.Prompt).Select(p => p.Content).FirstOrDefaultAsync();
        return prompt ?? throw new InvalidOperationException($"Task {taskId} has no prompt row; it was written in the same transaction, so the row was removed by hand.");
    }

    private static Transition Of(PipeContext context) => context.GetPayload<Transition>();
}
