using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Worker.Planning.Transitions;

/// <summary>Reads a task's texts: from the unit of work when this transition has just written them, else from their rows.</summary>
public sealed class PayloadReader(TaskPayloads payloads)
{
    public async ValueTask<string> Read(TaskTransition transition, string part) =>
        transition.Work.Payloads.Find(p => p.Part == part)?.Content
        ?? await payloads.Read(transition.Task.CorrelationId, part)
        ?? throw new InvalidOperationException(
            $"Task {transition.Task.CorrelationId} has no row '{part}'; it was written in the transaction that the row's state stands for, "
            + "so it was removed by hand.");

    /// <summary>The prompt of the pass that the task is at.</summary>
    public ValueTask<string> ReadPrompt(TaskTransition transition) => Read(transition, PayloadRow.PromptOf(transition.Task.Pass.Name));

    /// <summary>The question as it was put: as it came, or as an earlier pass composed it.</summary>
    public async ValueTask<StoredPrompt> ReadQuestion(TaskTransition transition) =>
        StoredPrompt.Read(await payloads.ReadQuestion(transition.Task.CorrelationId));
}
