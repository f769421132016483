using LlmQueue.Catalogue;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Planning.Transitions;
using LlmQueue.Worker.Routing;

namespace LlmQueue.Worker.Planning;

/// <summary>Asks admission control for capacity and budget; the last step, which always says where the task goes.</summary>
public sealed class AdmitStep(
    AdmissionController admission,
    TaskRouter router,
    BucketDirectory directory,
    CurrentCatalogue catalogue,
    ModelAvailability availability) : IPlanningStep
{
    public async ValueTask<NextStep?> Plan(TaskTransition transition)
    {
        var task = transition.Task;
        if (task.Route.Chain is { IsNobody: true } && transition.HasDraft)
            return KeepDraft($"no model can be asked for the {task.Pass.Name}; see the catalogue's passes and keys");

        var decision = await admission.Decide(task, transition.Work, WithReplacements(transition));
        if (decision is AdmissionDecision.Impossible && TaskPasses.IsRouted(task.Pass.Name) && !IsChainKnown(task))
        {
            // The catalogue has changed since the task was routed.
            task.Route = task.Route with { LoadBalanced = false };
            if (router.Route(transition) is { } refusal)
                return refusal;
            decision = await admission.Decide(task, transition.Work, AdmissionRequest.Of(task));
        }

        return StepOf(decision, transition);
    }

    private static NextStep.KeepAnswer KeepDraft(string reason) => new(PayloadRow.Draft, reason);

    private bool IsChainKnown(TaskRow task) => (task.Route.Chain ?? ModelChain.Nobody).Models.Any(id => directory.Of(id).Count > 0);

    private static NextStep StepOf(AdmissionDecision decision, TaskTransition transition) => decision switch
    {
        AdmissionDecision.Open open => new NextStep.Call(open.WhyNotFirst, transition.Task.Route.Chain!.FirstChoice!),
        AdmissionDecision.NoRoom full => new NextStep.WaitForCapacity(full),
        AdmissionDecision.NoMoney spent => new NextStep.WaitForBudget(spent),
        AdmissionDecision.Impossible impossible when transition.HasDraft =>
            KeepDraft($"no model can be asked for the {transition.Task.Pass.Name}: {impossible.Reason}"),
        AdmissionDecision.Impossible impossible when transition.Task.Attempt == 0 => new NextStep.Reject(impossible.Reason),
        AdmissionDecision.Impossible impossible => new NextStep.Fail(impossible.Reason),
        var other => throw new InvalidOperationException($"No step is written for {other.GetType().Name}."),
    };

    /// <summary>
    /// A model that has retired since the task was routed, or is gone, gives way to its successor. A chain without any model left is left
    /// to admission, which says so.
    /// </summary>
    private AdmissionRequest WithReplacements(TaskTransition transition)
    {
        var task = transition.Task;
        var request = AdmissionRequest.Of(task);
        var today = DateOnly.FromDateTime(transition.Now);
        if (ModelReplacementRule.Of(request.Chain, catalogue.Now, today, availability.IsGone) is not { } replacement)
            return request;
        task.Route = task.Route with { Chain = ModelChain.Of(replacement.Chain) };
        foreach (var replaced in replacement.Replaced)
            transition.Record("Replaced", replaced);
        return request with { Chain = replacement.Chain };
    }
}
