using LlmQueue.Catalogue;

namespace LlmQueue.Worker.Planning;

/// <summary>Chooses the models that may answer a task which has none yet.</summary>
public sealed class RouteStep(TaskRouter router) : IPlanningStep
{
    public ValueTask<NextStep?> Plan(TaskTransition transition) => ValueTask.FromResult<NextStep?>(Route(transition));

    private NextStep.Reject? Route(TaskTransition transition)
    {
        if (transition.Task.Route.Chain is not null || router.Route(transition) is not { } refusal)
            return null;
        // The question itself may be read in parts; what is a pass already is not cut again.
        if (transition.Task.Pass.Name is not null || !refusal.IsTooLong)
            return refusal;
        transition.TooLong = refusal;
        return null;
    }
}
