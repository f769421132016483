using LlmQueue.Catalogue;
using LlmQueue.Worker.Passes;
using LlmQueue.Worker.Routing;

namespace LlmQueue.Worker.Planning.Transitions;

/// <summary>The sizes of the calls in which a prompt is read that no single call holds.</summary>
public sealed class PartSizes(CurrentCatalogue catalogue, ModelAvailability availability)
{
    /// <summary>
    /// Of a minute's limit three quarters: what a model is found to count above the estimate is reserved as well, and must fit it still
    /// when the last part is reached.
    /// </summary>
    private const double ShareOfMinute = 0.75;

    /// <summary>
    /// The largest call that the task's own route leads to, for a part as well as for the question itself; null when there is none.
    /// </summary>
    public PartSize? Largest(TaskTransition transition)
    {
        var (task, table, conditions) = (transition.Task, catalogue.Now, availability.At(transition.Now));
        var request = TaskRouter.RequestOf(transition);
        var calls = availability.MayAnswer(task, transition.Now).Select(m => (Tokens: TokensOf(m), m.MaxOutput));
        foreach (var (tokens, longest) in calls.Distinct().OrderByDescending(c => c.Tokens).ThenByDescending(c => c.MaxOutput))
        {
            var notes = ChunkRule.OutputTokens(tokens, longest);
            if (IsRouted(tokens, notes) && IsRouted(tokens, task.MaxOutputTokens))
                return new PartSize(tokens, notes);
        }

        return null;

        bool IsRouted(int call, int output) => output > 0 && call > output
            && RoutingRule.Decide(request with { PromptTokens = call - output, MaxOutputTokens = output }, table, conditions) is Routed;
    }

    private int TokensOf(ModelEntry model) =>
        (int)Math.Min(model.Context * ModelEntry.UsedShare, (availability.LargestMinute(model) ?? int.MaxValue) * ShareOfMinute);
}

/// <summary>A call that reads a part.</summary>
/// <param name="Tokens">Prompt and answer together.</param>
/// <param name="Notes">How many of them the answer, notes of the part, may take.</param>
public sealed record PartSize(int Tokens, int Notes);
