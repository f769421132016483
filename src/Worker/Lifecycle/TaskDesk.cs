using LlmQueue.Contracts;
using LlmQueue.Store;
using LlmQueue.Store.Catalogue;
using LlmQueue.Store.Commits;
using LlmQueue.Store.Intake;
using LlmQueue.Store.Rows;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Ranking;
using LlmQueue.Worker.Selection;
using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Worker.Lifecycle;

/// <summary>Does what the machine's verbs say: asks the rules and records what they decide in the transition. Sends nothing, writes nothing.</summary>
public sealed partial class TaskDesk(ModelCatalogue catalogue, BucketDirectory directory, AdmissionDesk admission, LimitViews views, LineDirectory lines,
    IDbContextFactory<QueueDb> contexts, WorkerOptions options, KeyChoice keys, Chance chance, UsableProviders providers, Calibrations calibrations, ModelRanking ranking, PagePool pool)
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
            Prepare(context.Saga, TaskIntake.ReadPrompt(taken.Prompt));
    }

    public bool IsRefused(BehaviorContext<TaskRow, LlmTask> context) => Of(context).Decision is NextStep.Reject;

    public bool Decided<TDecision>(BehaviorContext<TaskRow> context) => Of(context).Decision is TDecision;

    // ---- Seeking room ----

    /// <summary>Classifies and routes a task that has no chain yet, then asks admission.</summary>
    public async Task AskForRoom<T>(BehaviorContext<TaskRow, T> context) where T : class
    {
        var (task, transition) = (context.Saga, Of(context));
        if (task.PromptTokens == 0)
            Prepare(task, await ReadPrompt(task.CorrelationId));
        if (task is { Chain: null, Kind: null, RequestedModel: null, Attempt: 0 } && await AskClassifier(task, transition, await PromptOf(context)))
        {
            transition.Decision = new NextStep.AskClassifier();
            return;
        }

        if (task.Chain is null && Route(task, transition) is { } refusal)
        {
            transition.Decision = refusal;
            return;
        }

        var firstChoice = task.Chain!.Split(' ')[0];
        transition.Decision = await admission.Decide(task, transition, Errand.Of(task)) switch
        {
            AdmissionDecision.Open open => new NextStep.Call(open.WhyNotFirst, firstChoice),
            AdmissionDecision.NoRoom full => new NextStep.StandInLine(full),
            AdmissionDecision.NoMoney broke => new NextStep.WaitForMoney(broke),
            AdmissionDecision.Impossible impossible when task.Attempt == 0 => new NextStep.Reject(impossible.Reason),
            AdmissionDecision.Impossible impossible => new NextStep.Fail(impossible.Reason),
            var other => throw new InvalidOperationException($"No step is written for {other.GetType().Name}."),
        };
    }

    /// <summary>Estimates the prompt and lets the rules say what it is. Cheap: it runs for every task.</summary>
    private static void Prepare(TaskRow task, IReadOnlyList<LlmMessage> messages)
    {
        task.PromptUnits = TokenEstimateRule.UnitsWithFrame(messages);
        task.PromptTokens = TokenEstimateRule.Estimate(task.PromptUnits, TokenCalibration.None);
        if (task.Kind is not null && task.Complexity is not null)
            return;
        if (ClassificationRule.Decide(task.Kind, task.Complexity, messages) is { } classified)
            (task.Kind, task.Complexity) = (classified.Kind, classified.Complexity);
    }

    /// <summary>True when the small model has room for the question now; a task never waits to be classified.</summary>
    private async ValueTask<bool> AskClassifier(TaskRow task, Transition transition, IReadOnlyList<LlmMessage> messages)
    {
        var chain = catalogue.InService(catalogue.Classifier, DateOnly.FromDateTime(transition.Now)).Where(id => providers.Has(id.Provider)).ToList();
        if (chain.Count == 0)
            return false;
        var input = TokenEstimateRule.UnitsWithFrame(ClassifierPrompt.Messages(messages));
        return await admission.Decide(task, transition, new Errand(chain, Spread: false, input, ClassifierPrompt.MaxOutputTokens)) is AdmissionDecision.Open;
    }

    private NextStep? Route(TaskRow task, Transition transition)
    {
        var request = new RouteRequest
        {
            Kind = task.Kind, Complexity = task.Complexity, Priority = Priorities.Name(task.Priority), HighStakes = task.HighStakes,
            PromptTokens = task.PromptTokens, MaxOutputTokens = task.MaxOutputTokens, Model = task.RequestedModel,
        };
        var today = DateOnly.FromDateTime(transition.Now);
        switch (RoutingRule.Decide(request, catalogue, new RouteConditions(providers.Has, today, LargestMinute)))
        {
            case Routed routed:
                Chain(task, routed);
                return null;
            case NoModel none:
                return new NextStep.Reject(none.Reason);
            case var other:
                throw new InvalidOperationException($"No step is written for {other.GetType().Name}.");
        }
    }

    /// <summary>What was learned puts the route's models in order, except where the producer named one.</summary>
    private void Chain(TaskRow task, Routed routed)
    {
        IReadOnlyList<string> models = [.. routed.Models.Select(id => id.ToString())];
        var ordered = task.RequestedModel is null ? ranking.Order(task, models) : new Ordered(models, null);
        task.Route = ordered.Why is null ? routed.Rule : $"{routed.Rule}; {ordered.Why}";
        task.Chain = string.Join(' ', ordered.Models);
    }

    /// <summary>The route, and for a page why the pool gave it to this model.</summary>
    private string? Why(TaskRow task) =>
        pool.Why(task, [.. Errand.Models(task.Chain).Select(catalogue.Find).OfType<ModelEntry>().Select(model => (model, (double?)LargestMinute(model)))]) is { } why ? $"{task.Route}; {why}" : task.Route;

    /// <summary>The prompt is in the transition when the task was just taken in, else in its row.</summary>
    private async Task<IReadOnlyList<LlmMessage>> PromptOf(BehaviorContext<TaskRow> context) =>
        Of(context).Payloads.Find(p => p.Part == PayloadRow.Prompt) is { } fresh ? TaskIntake.ReadPrompt(fresh.Content) : await ReadPrompt(context.Saga.CorrelationId);

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

    private async Task<IReadOnlyList<LlmMessage>> ReadPrompt(Guid taskId)
    {
        await using var db = await contexts.CreateDbContextAsync();
        var prompt = await db.Payloads.AsNoTracking().Where(p => p.SubjectId == taskId && p.Part == PayloadRow.Prompt).Select(p => p.Content).FirstOrDefaultAsync();
        return prompt is null ? throw new InvalidOperationException($"Task {taskId} has no prompt row; it was written in the same transaction, so the row was removed by hand.") : TaskIntake.ReadPrompt(prompt);
    }

    private static Transition Of(PipeContext context) => context.GetPayload<Transition>();
}
