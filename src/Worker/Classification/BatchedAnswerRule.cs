using LlmQueue.Worker.Outcomes;

namespace LlmQueue.Worker.Classification;

/// <summary>
/// Splits the outcome of a call among the questions that shared it. Each has its own answer and its part of the tokens; the first, whose
/// request it was, also has what the provider said of its limits.
/// </summary>
public static class BatchedAnswerRule
{
    /// <param name="outcome">Of the call.</param>
    /// <param name="sizes">How large each question is: the prompt's tokens are split in proportion to it.</param>
    public static IReadOnlyList<CallOutcome> Split(CallOutcome outcome, IReadOnlyList<int> sizes)
    {
        var (input, output) = outcome switch
        {
            CallOutcome.Answered answered => (answered.InputTokens, answered.OutputTokens),
            CallOutcome.Malformed malformed => (malformed.InputTokens, malformed.OutputTokens),
            CallOutcome.OutputSpent spent => (spent.InputTokens, spent.OutputTokens),
            _ => (0L, 0L),
        };
        var (inputs, outputs) = (Parts(input, sizes), Parts(output, [.. sizes.Select(_ => 1)]));
        var texts = outcome is CallOutcome.Answered whole ? ClassifierPrompt.Entries(whole.Text, sizes.Count) : [];
        return [.. sizes.Select((_, i) => Part(i) with { Count = i == 0 ? outcome.Count : null })];

        CallOutcome Part(int i) => outcome switch
        {
            CallOutcome.Answered answered => answered with
            {
                Text = texts[i] ?? (sizes.Count == 1 ? answered.Text : ""), InputTokens = inputs[i], OutputTokens = outputs[i],
            },
            CallOutcome.Malformed malformed => malformed with { InputTokens = inputs[i], OutputTokens = outputs[i] },
            CallOutcome.OutputSpent spent => spent with { InputTokens = inputs[i], OutputTokens = outputs[i] },
            _ => outcome,
        };
    }

    /// <summary>Whole parts that add up to the whole: what rounding leaves goes to the first.</summary>
    private static long[] Parts(long whole, IReadOnlyList<int> sizes)
    {
        var all = Math.Max(1, sizes.Sum(size => (long)size));
        var parts = sizes.Select(size => whole * size / all).ToArray();
        parts[0] += whole - parts.Sum();
        return parts;
    }
}
