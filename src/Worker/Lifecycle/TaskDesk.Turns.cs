using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Passes;

namespace LlmQueue.Worker.Lifecycle;

// Conversations: a turn is sent with those before it that were answered when it was first looked at. It waits for none: one that is stuck must not hold up the others.
public sealed partial class TaskDesk
{
    /// <summary>More are never looked at: what matters of them is in the answers since.</summary>
    private const int MostTurns = 60;

    /// <summary>Tokens of earlier turns, however wide the window: they are paid for with every turn.</summary>
    private const int MostTokens = 16_000;

    /// <summary>Puts the earlier turns before a task that names its conversation and was not sent on its way yet.</summary>
    private async Task Continue(TaskRow task, UnitOfWork transition, StoredPrompt own)
    {
        // Too long by itself: it is read in parts first, and the turns before it go with what is made of it.
        if ((long)task.PromptTokens + task.MaxOutputTokens > LargestCall(task, transition.Now))
            return;
        var messages = await WithEarlierTurns(task, transition, own.Messages);
        if (ReferenceEquals(messages, own.Messages))
            return;
        var prompt = own with { Messages = messages };
        Fit(task, TaskPasses.Draft, TokenEstimateRule.UnitsWithFrame(prompt.Weighed()), outputTokens: null);
        transition.Payloads.Add(new PayloadRow { SubjectId = task.CorrelationId, Part = PayloadRow.PromptOf(TaskPasses.Draft), Content = StoredPrompt.Write(prompt.Messages, prompt.Parameters, prompt.Stream) });
    }

    private async Task<IReadOnlyList<LlmMessage>> WithEarlierTurns(TaskRow task, UnitOfWork transition, IReadOnlyList<LlmMessage> own)
    {
        // Who hands in the whole conversation each time gets no second copy of it.
        if (task.Conversation is null || own.Any(m => m.Role == "assistant"))
            return own;
        var earlier = await EarlierTurns(task);
        if (earlier.Count == 0)
            return own;
        var room = Math.Min(MostTokens, LargestCall(task, transition.Now) - TokenEstimateRule.Estimate(TokenEstimateRule.UnitsWithFrame(own), TokenCalibration.None) - task.MaxOutputTokens);
        var continued = ConversationRule.Compose(earlier, own, Math.Max(0, room));
        transition.Record(task.CorrelationId, continued.Summarised == 0 ? "Continued" : "HandedOver", task.State, continued.Summarised == 0
            ? $"with the {continued.Verbatim} turns of '{task.Conversation}' before it"
            : $"with the decisions so far of {continued.Summarised} turns of '{task.Conversation}', and the {continued.Verbatim} newest as they were");
        task.Turns = ClassificationRule.Turns(continued.Messages);
        return continued.Messages;
    }

    private async Task<List<Turn>> EarlierTurns(TaskRow task) =>
        [.. (await payloads.ReadEarlierTurns(task, MostTurns)).Select(turn => new Turn(TaskIntake.ReadPrompt(turn.Prompt).LastOrDefault(m => m.Role == "user")?.Content ?? "", turn.Answer))];

    /// <summary>Tokens of the largest call that any model takes which may answer the task.</summary>
    private int LargestCall(TaskRow task, DateTime now) =>
        (int)MayAnswer(task, now).Select(m => Math.Min((long)(m.Context * ModelEntry.UsedShare), LargestMinute(m) ?? long.MaxValue)).DefaultIfEmpty(0).Max();

    /// <summary>Models in service with a key: the one that was asked for, else all.</summary>
    private IEnumerable<ModelEntry> MayAnswer(TaskRow task, DateTime now)
    {
        var today = DateOnly.FromDateTime(now);
        IEnumerable<ModelEntry> all = task.RequestedModel is null ? catalogue.Now.Models.Where(m => !m.IsRetired(today))
            : ModelId.TryParse(task.RequestedModel.Trim(), out var asked) && catalogue.Now.InService(asked, today) is { } serving ? [serving] : [];
        return all.Where(m => providers.Has(m.Id.Provider));
    }
}
