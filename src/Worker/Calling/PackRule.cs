using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Outcomes;

namespace LlmQueue.Worker.Calling;

/// <summary>
/// What each question of a pack has of the one call that answered all: its own answer and its part of the tokens; the first has the request
/// and what the provider said of its count. Pure.
/// </summary>
public static class PackRule
{
    /// <param name="outcome">Of the call.</param>
    /// <param name="sizes">How large each question is; tokens of the prompt are shared by it.</param>
    public static IReadOnlyList<CallOutcome> Share(CallOutcome outcome, IReadOnlyList<int> sizes)
    {
        var (input, output) = outcome switch
        {
            CallOutcome.Answered answered => (answered.InputTokens, answered.OutputTokens),
            CallOutcome.Malformed malformed => (malformed.InputTokens, malformed.OutputTokens),
            CallOutcome.OutputSpent spent => (spent.InputTokens, spent.OutputTokens),
            _ => (0L, 0L),
        };
        var (inputs, outputs) = (Split(input, sizes), Split(output, [.. sizes.Select(_ => 1)]));
        var texts = outcome is CallOutcome.Answered whole ? ClassifierPrompt.Entries(whole.Text, sizes.Count) : [];
        return [.. sizes.Select((_, i) => Part(i) with { Count = i == 0 ? outcome.Count : null })];

        CallOutcome Part(int i) => outcome switch
        {
            CallOutcome.Answered answered => answered with { Text = texts[i] ?? (sizes.Count == 1 ? answered.Text : ""), InputTokens = inputs[i], OutputTokens = outputs[i] },
            CallOutcome.Malformed malformed => malformed with { InputTokens = inputs[i], OutputTokens = outputs[i] },
            CallOutcome.OutputSpent spent => spent with { InputTokens = inputs[i], OutputTokens = outputs[i] },
            _ => outcome,
        };
    }

    /// <summary>Whole parts that add up to the whole: what rounding leaves goes to the first.</summary>
    private static long[] Split(long whole, IReadOnlyList<int> sizes)
    {
        var all = Math.Max(1, sizes.Sum(size => (long)size));
        var parts = sizes.Select(size => whole * size / all).ToArray();
        parts[0] += whole - parts.Sum();
        return parts;
    }
}
