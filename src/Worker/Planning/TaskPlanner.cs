using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Planning.Transitions;
using MassTransit;

namespace LlmQueue.Worker.Planning;

/// <summary>One step of planning. It knows no other step: what it found is in the row or in the transition.</summary>
public interface IPlanningStep
{
    /// <returns>Where the task goes; null to go on with the next step.</returns>
    ValueTask<NextStep?> Plan(TaskTransition transition);
}

/// <summary>Plans the next call of a task: runs the steps in order until one of them says where the task goes.</summary>
public sealed class TaskPlanner(
    EstimateStep estimate,
    ReadImagesStep readImages,
    ContinueConversationStep continueConversation,
    ClassifyStep classify,
    RouteStep route,
    SplitStep split,
    AdmitStep admit)
{
    private readonly IPlanningStep[] _steps = [estimate, readImages, continueConversation, classify, route, split, admit];

    public async Task Plan(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        foreach (var step in _steps)
        {
            if (await step.Plan(transition) is not { } next)
                continue;
            transition.Next = next;
            return;
        }

        throw new InvalidOperationException(
            $"No planning step has said where task {transition.Task.CorrelationId} goes; expected the last one to.");
    }
}
