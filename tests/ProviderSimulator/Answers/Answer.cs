using ProviderSimulator.Sorting;
using ProviderSimulator.Wire;

namespace ProviderSimulator.Answers;

/// <summary>What the model says: the text, what it counts as, and why it stopped.</summary>
internal readonly record struct Answer(string Text, int Tokens, string FinishReason)
{
    public static Answer To(ChatRequest request, int defaultOutputTokens, long? modelMaxOutput, Sorter sorter)
    {
        var text = request.Format switch
        {
            _ when SortingAnswer.IsWanted(request) => SortingAnswer.Write(request, sorter),
            AnswerFormat.JsonSchema => SchemaAnswer.Write(request),
            AnswerFormat.JsonObject => JsonObjectAnswer.Write(request),
            _ => PlainAnswer.Write(request, request.MaxTokens ?? defaultOutputTokens),
        };

        // Cut like a model cuts: in the middle of whatever it was saying, JSON included.
        var tokens = TokenCounter.Count(text);
        var most = Math.Min(request.MaxTokens ?? long.MaxValue, modelMaxOutput ?? long.MaxValue);
        return tokens <= most
            ? new Answer(text, tokens, "stop")
            : new Answer(text[..TokenCounter.LengthOf(text, (int)most)], (int)most, "length");
    }
}
