using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Passes;
using LlmQueue.Worker.Planning.Transitions;

namespace LlmQueue.Worker.Planning;

/// <summary>
/// Cuts a prompt that no model takes in one call into parts, and routes the first. Each part is a pass with a call of its own that leaves
/// notes; the question is then
/// put with the notes in the place of the text.
/// </summary>
public sealed class SplitStep(PartSizes sizes, TaskRouter router, PayloadReader payloads) : IPlanningStep
{
    public async ValueTask<NextStep?> Plan(TaskTransition transition)
    {
        if (transition.TooLong is not { } refusal)
            return null;
        if (sizes.Largest(transition) is not { } largest)
            return refusal;

        var task = transition.Task;
        var prompt = StoredPrompt.Read(await payloads.ReadPrompt(transition));
        switch (ChunkRule.Decide(prompt, largest.Tokens, task.MaxOutputTokens, largest.Notes))
        {
            case ChunkDecision.InParts { Prompts: var parts }:
                transition.Record("Chunked", $"into {parts.Count} parts, each of at most {largest.Tokens - largest.Notes} tokens "
                    + $"with its instructions: nobody holds {(long)task.PromptTokens + task.MaxOutputTokens} tokens in one call");
                for (var i = 0; i < parts.Count; i++)
                {
                    var part = PayloadRow.PromptOf(TaskPasses.PartOf(i + 1, parts.Count));
                    transition.AddPayload(part, StoredPrompt.Write(parts[i], null, stream: false));
                }

                transition.EnterPass(TaskPasses.PartOf(1, parts.Count), TokenEstimateRule.UnitsWithFrame(parts[0]), largest.Notes);
                return router.Route(transition);
            case ChunkDecision.TooMany many:
                return new NextStep.Reject($"The prompt is estimated at {task.PromptTokens} tokens, and the largest call that can be made "
                    + $"here takes {largest.Tokens}: it would be read in {many.Parts} parts, and at most {many.Most} can be. "
                    + "Hand its pages in as a summary (POST /v1/summaries), or shorten it.");
            default:
                return refusal;
        }
    }
}
