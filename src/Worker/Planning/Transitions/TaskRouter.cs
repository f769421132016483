using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Ranking;
using LlmQueue.Worker.Routing;

namespace LlmQueue.Worker.Planning.Transitions;

/// <summary>Routes a task by the catalogue's table, lets the ranking order the models, and says in words why they were chosen.</summary>
public sealed class TaskRouter(CurrentCatalogue catalogue, ModelAvailability availability, ModelRanking ranking, PagePool pool)
{
    /// <summary>What the routing table is asked about the task.</summary>
    public static RouteRequest RequestOf(TaskTransition transition)
    {
        var task = transition.Task;
        return new RouteRequest
        {
            Kind = task.Kind, Complexity = task.Complexity, Priority = Priorities.Name(task.Priority), HighStakes = task.HighStakes,
            PromptTokens = task.PromptTokens, MaxOutputTokens = task.CallOutputTokens, Model = task.RequestedModel,
            Agent = task.Agent, Tenant = task.Tenant, ConversationTurns = task.Turns,
            // A conversation that is handed in whole was handed in for a reason, unless somebody has looked and found none.
            NeedsContext = task.NeedsContext ?? task.Turns > 1,
            Confidence = task.Confidence ?? 1, AlsoLikely = transition.Classified?.AlsoLikely ?? [],
        };
    }

    /// <summary>Writes route and chain into the row.</summary>
    /// <returns>Why no model can take the task; null when one can.</returns>
    public NextStep.Reject? Route(TaskTransition transition)
    {
        var task = transition.Task;
        var request = RequestOf(transition);
        var (table, conditions) = (catalogue.Now, availability.At(transition.Now));
        switch (RoutingRule.Decide(request, table, conditions))
        {
            case Routed routed:
                Write(task, routed);
                // Parts go the same way and are no answers: history and metrics know them as parts.
                if (TaskPasses.IsPart(task.Pass.Name))
                    return null;
                if (routed.Switched is { } switched)
                    transition.Record("WindowSwitched", switched);
                transition.Work.Stage = Counted(task, request, routed, table, conditions);
                return null;
            case NoModel none:
                return new NextStep.Reject(none.Reason) { IsTooLong = none.IsTooLong };
            case var other:
                throw new InvalidOperationException($"No step is written for {other.GetType().Name}.");
        }
    }

    /// <summary>Why this call is made at all: its route, or the pass it is for.</summary>
    public string? WhyCalled(TaskRow task) => task.Pass.Name switch
    {
        null or TaskPasses.Draft => task.HighStakes ? $"draft; {task.Route.Rule}" : WithPool(task),
        TaskPasses.Extraction => "extraction of what its images show",
        _ when TaskPasses.IsPart(task.Pass.Name) => $"{TaskPasses.Describe(task.Pass.Name)}: notes for the answer",
        TaskPasses.Critique => $"critique of the draft by {task.Pass.DraftedBy}",
        TaskPasses.Revision => $"revision after the critique by {task.Pass.Critic}",
        _ => $"critique of the revision by {task.Pass.DraftedBy}",
    };

    /// <summary>What was learned puts the route's models in order, except where the producer named one.</summary>
    private void Write(TaskRow task, Routed routed)
    {
        IReadOnlyList<string> models = [.. routed.Models.Select(id => id.ToString())];
        var ordered = task.RequestedModel is null
            ? ranking.Order(task, models, [.. routed.Models.Select(PriceOf)])
            : new OrderedChain(models, null);
        string? said = null;
        if (task.RequestedModel is null && task.ClassifiedBy is { } by)
        {
            var confidence = by is Stages.Producer or Stages.Default ? "" : $" ({task.Confidence:0.00})";
            said = $"{by} said {task.Kind}, {task.Complexity}{confidence}";
        }

        task.Route = task.Route with
        {
            Rule = string.Join("; ", new[] { routed.Rule, said, ordered.Why }.OfType<string>()), Chain = ModelChain.Of(ordered.Models),
        };

        decimal? PriceOf(ModelId id) => catalogue.Now.Find(id)?.Price.CostUsd(task.PromptTokens, task.MaxOutputTokens);
    }

    /// <summary>For the count: where the task goes, and where it would have gone if nobody had said what it is.</summary>
    private static StageDecision? Counted(
        TaskRow task, RouteRequest request, Routed routed, ModelCatalogue table, RouteConditions conditions)
    {
        if (task.ClassifiedBy is not { } stage || task.RequestedModel is not null)
            return null;
        var unclassified = request with { Kind = null, Complexity = null, Confidence = 1, AlsoLikely = [] };
        var without = stage is Stages.Producer or Stages.Default ? routed : RoutingRule.Decide(unclassified, table, conditions) as Routed;
        return new StageDecision(stage, routed.Models[0].ToString(), without?.Models[0].ToString() ?? "none");
    }

    /// <summary>The route, and for a page why the pool gave it to this model.</summary>
    private string? WithPool(TaskRow task)
    {
        var models = (task.Route.Chain ?? ModelChain.Nobody).Models.Select(catalogue.Now.Find).OfType<ModelEntry>();
        var why = pool.Why(task, [.. models.Select(model => (model, (double?)availability.LargestMinute(model)))]);
        return why is null ? task.Route.Rule : $"{task.Route.Rule}; {why}";
    }
}
