using LlmQueue.Contracts;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Passes;
using LlmQueue.Worker.Routing;

namespace LlmQueue.Worker.Planning.Transitions;

/// <summary>Reads the earlier turns of a task's conversation and puts as many of them before its messages as fit.</summary>
public sealed class ConversationHistory(TaskPayloads payloads, ModelAvailability availability)
{
    /// <summary>More are never looked at: what matters of them is in the answers since.</summary>
    private const int MostTurns = 60;

    /// <summary>Tokens of earlier turns, however wide the window: they are paid for with every turn.</summary>
    private const int MostTokens = 16_000;

    /// <returns>The messages with the earlier turns; the same list when there are none.</returns>
    public async Task<IReadOnlyList<LlmMessage>> Continue(TaskTransition transition, IReadOnlyList<LlmMessage> own)
    {
        var task = transition.Task;
        // A producer that hands in the whole conversation each time gets no second copy of it.
        if (task.Conversation is null || own.Any(m => m.Role == "assistant"))
            return own;
        var answered = await payloads.ReadEarlierTurns(task, MostTurns);
        var earlier = answered.Select(turn => new Turn(QuestionOf(turn.Prompt), turn.Answer)).ToList();
        if (earlier.Count == 0)
            return own;

        var ownTokens = TokenEstimateRule.Estimate(TokenEstimateRule.UnitsWithFrame(own), TokenCalibration.None);
        var room = Math.Min(MostTokens, availability.LargestCall(task, transition.Now) - ownTokens - task.MaxOutputTokens);
        var continued = ConversationRule.Compose(earlier, own, Math.Max(0, room));
        if (continued.Summarised == 0)
            transition.Record("Continued", $"with the {continued.Verbatim} turns of '{task.Conversation}' before it");
        else
            transition.Record("HandedOver", $"with the decisions so far of {continued.Summarised} turns of '{task.Conversation}', "
                + $"and the {continued.Verbatim} newest as they were");
        task.Turns = ClassificationRule.Turns(continued.Messages);
        return continued.Messages;
    }

    private static string QuestionOf(string prompt) => TaskIntake.ReadPrompt(prompt).LastOrDefault(m => m.Role == "user")?.Content ?? "";
}
