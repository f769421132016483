using LlmQueue.Catalogue;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Planning.Transitions;
using LlmQueue.Worker.Routing;

namespace LlmQueue.Worker.Planning;

/// <summary>
/// Puts the earlier turns before a task that names its conversation. They are those that were answered when it is first planned: a task
/// waits for no other,
/// since one that is stuck must not hold up the conversation.
/// </summary>
public sealed class ContinueConversationStep(ConversationHistory history, ModelAvailability availability, PayloadReader payloads)
    : IPlanningStep
{
    public async ValueTask<NextStep?> Plan(TaskTransition transition)
    {
        var task = transition.Task;
        if (task is not { Conversation: not null, Pass.Name: null, Route.Chain: null })
            return null;
        // Too long by itself: it is read in parts first, and the turns before it go with what is made of it.
        if ((long)task.PromptTokens + task.MaxOutputTokens > availability.LargestCall(task, transition.Now))
            return null;

        var own = StoredPrompt.Read(await payloads.ReadPrompt(transition));
        var messages = await history.Continue(transition, own.Messages);
        if (ReferenceEquals(messages, own.Messages))
            return null;
        var prompt = own with { Messages = messages };
        transition.EnterPass(TaskPasses.Draft, TokenEstimateRule.UnitsWithFrame(prompt.Weighed()), outputTokens: null);
        transition.AddPayload(PayloadRow.PromptOf(TaskPasses.Draft), StoredPrompt.Write(prompt.Messages, prompt.Parameters, prompt.Stream));
        return null;
    }
}
