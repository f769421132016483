using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Calling;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Ranking;
using LlmQueue.Worker.Routing;
using MassTransit;

namespace LlmQueue.Worker.Lifecycle;

/// <summary>Does what the machine's verbs say: asks the rules and records what they decide in the transition. Sends nothing, writes nothing.</summary>
public sealed partial class TaskDesk(CurrentCatalogue catalogue, BucketDirectory directory, AdmissionController admission, LimitViews views, WaitQueueDirectory lines,
    TaskPayloads payloads, WorkerOptions options, KeyChoice keys, Jitter chance, UsableProviders providers, CallEstimates estimates, ModelRanking ranking, PagePool pool,
    ClassificationCache known, SystemLoad load, CallSlots openCalls)
{
    // ---- Taking in ----

    public TaskRow TakeIn(ConsumeContext<LlmTask> context, DateTime now)
    {
        var taken = TaskIntake.Read(context.Message, MessageIdentity.Of(context, context.Message.Id), tenant: null, now);
        context.GetPayload<UnitOfWork>().Decision = taken;
        return taken.Row;
    }

    public void Accept(BehaviorContext<TaskRow, LlmTask> context)
    {
        var transition = Of(context);
        var taken = (AcceptedTask)transition.Decision!;
        SubmittedTask.Create(context.Saga, taken.Prompt, transition.Now).AddRecordsTo(transition);
        if (taken.Refusal is { } refusal)
            transition.Decision = new NextStep.Reject(refusal);
        else
            Prepare(context.Saga, transition, StoredPrompt.Read(taken.Prompt));
    }

    public bool IsRefused(BehaviorContext<TaskRow, LlmTask> context) => Of(context).Decision is NextStep.Reject;

    public bool Decided<TDecision>(BehaviorContext<TaskRow> context) => Of(context).Decision is TDecision;

    // ---- Seeking room ----

    /// <summary>Classifies and routes a task that has no chain yet, then asks admission.</summary>
    public async Task AskForRoom<T>(BehaviorContext<TaskRow, T> context) where T : class
    {
        var (task, transition) = (context.Saga, Of(context));
        if (task.PromptTokens == 0)
            Prepare(task, transition, StoredPrompt.Read(await PromptOf(context)));
        if (task is { Pass: TaskPasses.Extraction, Chain: null } && BeginExtraction(task, transition, StoredPrompt.Read(await PromptOf(context)).Messages) is { } blind)
        {
            transition.Decision = blind;
            return;
        }

        if (task is { Conversation: not null, Pass: null, Chain: null })
            await Continue(task, transition, StoredPrompt.Read(await PromptOf(context)));

        if (task is { Chain: null, ClassifiedBy: null, RequestedModel: null } && await IsToBeAsked(task, transition, await PromptOf(context)))
        {
            transition.Decision = new NextStep.AskClassifier();
            return;
        }

        if (task.Chain is null && Route(task, transition) is { } refusal && await InParts(context, refusal) is { } hopeless)
        {
            transition.Decision = hopeless;
            return;
        }

        if (task.Chain is "" && HasDraft(task))
        {
            transition.Decision = new NextStep.Keep(PayloadRow.Draft, $"no model can be asked for the {task.Pass}; see the catalogue's passes and keys");
            return;
        }

        var decision = await admission.Decide(task, transition, WithoutRetired(task, transition));
        if (decision is AdmissionDecision.Impossible && TaskPasses.IsRouted(task.Pass) && !AdmissionRequest.Models(task.Chain).Any(id => directory.Of(id).Count > 0))
        {
            // The catalogue has changed since it was routed, and no model of its chain is there any more.
            task.Spread = false;
            if (Route(task, transition) is { } nobody)
            {
                transition.Decision = nobody;
                return;
            }

            decision = await admission.Decide(task, transition, AdmissionRequest.Of(task));
        }

        var firstChoice = task.Chain!.Split(' ')[0];
        transition.Decision = decision switch
        {
            AdmissionDecision.Open open => new NextStep.Call(open.WhyNotFirst, firstChoice),
            AdmissionDecision.NoRoom full => new NextStep.StandInLine(full),
            AdmissionDecision.NoMoney broke => new NextStep.WaitForMoney(broke),
            AdmissionDecision.Impossible impossible when HasDraft(task) => new NextStep.Keep(PayloadRow.Draft, $"no model can be asked for the {task.Pass}: {impossible.Reason}"),
            AdmissionDecision.Impossible impossible when task.Attempt == 0 => new NextStep.Reject(impossible.Reason),
            AdmissionDecision.Impossible impossible => new NextStep.Fail(impossible.Reason),
            var other => throw new InvalidOperationException($"No step is written for {other.GetType().Name}."),
        };
    }

    private NextStep? Route(TaskRow task, UnitOfWork transition)
    {
        var request = WayOf(task, transition);
        var (table, conditions) = (catalogue.Now, Conditions(transition.Now));
        switch (RoutingRule.Decide(request, table, conditions))
        {
            case Routed routed:
                Chain(task, routed);
                // Parts go the same way and are no answers: they are told of, and counted, as parts.
                if (TaskPasses.IsPart(task.Pass))
                    return null;
                if (routed.Switched is { } switched)
                    transition.Record(task.CorrelationId, "WindowSwitched", task.State, switched);
                transition.Stage = Counted(task, request, routed, table, conditions);
                return null;
            case NoModel none:
                return new NextStep.Reject(none.Reason) { IsTooLong = none.IsTooLong };
            case var other:
                throw new InvalidOperationException($"No step is written for {other.GetType().Name}.");
        }
    }

    private static RouteRequest WayOf(TaskRow task, UnitOfWork transition) => new()
    {
        Kind = task.Kind, Complexity = task.Complexity, Priority = Priorities.Name(task.Priority), HighStakes = task.HighStakes,
        PromptTokens = task.PromptTokens, MaxOutputTokens = task.CallOutputTokens, Model = task.RequestedModel,
        Agent = task.Agent, Tenant = task.Tenant, ConversationTurns = task.Turns,
        // A conversation that is handed in whole was handed in for a reason, unless somebody has looked and found none.
        NeedsContext = task.NeedsContext ?? task.Turns > 1,
        Confidence = task.Confidence ?? 1, AlsoLikely = (transition.Classified as Classification.Classification)?.AlsoLikely ?? [],
    };

    /// <summary>For the count: where the task goes, and where it would have gone if nobody had said what it is.</summary>
    private static StageDecision? Counted(TaskRow task, RouteRequest request, Routed routed, ModelCatalogue table, RouteConditions conditions)
    {
        if (task.ClassifiedBy is not { } stage || task.RequestedModel is not null)
            return null;
        var without = stage is Stages.Producer or Stages.Default ? routed : RoutingRule.Decide(request with { Kind = null, Complexity = null, Confidence = 1, AlsoLikely = [] }, table, conditions) as Routed;
        return new StageDecision(stage, routed.Models[0].ToString(), without?.Models[0].ToString() ?? "none");
    }

    /// <summary>Who has retired since the task was routed, or is gone, gives way to its successor; a chain that nobody is left of is decided by admission, which says so.</summary>
    private AdmissionRequest WithoutRetired(TaskRow task, UnitOfWork transition)
    {
        var errand = AdmissionRequest.Of(task);
        if (ModelReplacementRule.Of(errand.Chain, catalogue.Now, DateOnly.FromDateTime(transition.Now), IsGone) is not { } succession)
            return errand;
        task.Chain = string.Join(' ', succession.Chain);
        foreach (var replaced in succession.Replaced)
            transition.Record(task.CorrelationId, "Replaced", task.State, replaced);
        return errand with { Chain = succession.Chain };
    }

    /// <summary>Who takes the place of a model that its provider has taken off, perhaps before its day.</summary>
    private string? HeirOf(string model, DateTime now)
    {
        var gone = ModelId.Parse(model);
        return ModelReplacementRule.Of([gone], catalogue.Now, DateOnly.FromDateTime(now), id => id == gone || IsGone(id)) is { Chain: [var heir] } ? heir.ToString() : null;
    }

    private bool IsGone(ModelId id) =>
        directory.Of(id) is { Count: > 0 } ways && ways.All(way => DisabledReasons.IsGone(views.Bucket(way.Id)?.WhyDisabled));

    private RouteConditions Conditions(DateTime now) => new(providers.Has, DateOnly.FromDateTime(now), LargestMinute) { Load = load.At(now) };

    /// <summary>What was learned puts the route's models in order, except where the producer named one.</summary>
    private void Chain(TaskRow task, Routed routed)
    {
        IReadOnlyList<string> models = [.. routed.Models.Select(id => id.ToString())];
        var ordered = task.RequestedModel is null ? ranking.Order(task, models, [.. routed.Models.Select(id => catalogue.Now.Find(id)?.Price.CostUsd(task.PromptTokens, task.MaxOutputTokens))]) : new OrderedChain(models, null);
        var said = task.RequestedModel is not null || task.ClassifiedBy is not { } by ? null
            : $"{by} said {task.Kind}, {task.Complexity}{(by is Stages.Producer or Stages.Default ? "" : $" ({task.Confidence:0.00})")}";
        task.Route = string.Join("; ", new[] { routed.Rule, said, ordered.Why }.OfType<string>());
        task.Chain = string.Join(' ', ordered.Models);
    }

    /// <summary>The route, and for a page why the pool gave it to this model.</summary>
    private string? WhyHere(TaskRow task) =>
        pool.Why(task, [.. AdmissionRequest.Models(task.Chain).Select(catalogue.Now.Find).OfType<ModelEntry>().Select(model => (model, (double?)LargestMinute(model)))]) is { } why ? $"{task.Route}; {why}" : task.Route;

    /// <summary>What its pass sends: in the transition when it was just written, else in its row.</summary>
    private Task<string> PromptOf(BehaviorContext<TaskRow> context) => PartOf(context, PayloadRow.PromptOf(context.Saga.Pass));

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

    private async Task<string> ReadPayload(Guid taskId, string part) => await payloads.Read(taskId, part)
        ?? throw new InvalidOperationException($"Task {taskId} has no row '{part}'; it was written in the transaction that the row's state stands for, so it was removed by hand.");

    private static UnitOfWork Of(PipeContext context) => context.GetPayload<UnitOfWork>();
}
