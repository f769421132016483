using LlmQueue.Contracts;

namespace LlmQueue.Worker.Classification;

/// <summary>
/// The first stage of classification, without a call: what the producer said wins, then words and shape. Null means the rules are unsure
/// and the model is asked.
/// </summary>
public static class ClassificationRule
{
    /// <summary>Below this confidence the rules give no answer.</summary>
    public const double Sure = 0.6;

    // Instructions stand at the beginning or at the end; what is between is the material, and its words are not what is asked for.
    private const int Head = 600, Tail = 300;

    private const string Unknown = "general";

    /// <param name="kind">What the producer said, if anything.</param>
    /// <param name="complexity">Likewise.</param>
    /// <param name="messages">The prompt.</param>
    public static Classification? Decide(string? kind, string? complexity, IReadOnlyList<LlmMessage> messages)
    {
        (kind, complexity) = (Said(kind), Said(complexity));
        if (kind is not null && complexity is not null)
            return new Classification(kind, complexity, 1, Stages.Producer);
        var instruction = Instruction(messages, out var length);
        if (kind is not null)
            return new Classification(kind, Complexity(kind, instruction, length), 1, Stages.Producer);
        var guess = Guess(instruction, length, complexity);
        return guess.Confidence < Sure ? null : guess;
    }

    /// <summary>
    /// What the rules would say if they had to, however unsure: for those who explain, and as a hint of what else a task may be.
    /// </summary>
    public static Classification Guess(IReadOnlyList<LlmMessage> messages)
    {
        var instruction = Instruction(messages, out var length);
        return Guess(instruction, length, complexity: null);
    }

    /// <summary>Messages of the conversation, instructions to the model not counted.</summary>
    public static int Turns(IReadOnlyList<LlmMessage> messages) => messages.Count(message => message.Role is not ("system" or "developer"));

    /// <summary>What the model found, with what the producer said over it.</summary>
    public static Classification Under(string? kind, string? complexity, Classification found) =>
        found with { Kind = Said(kind) ?? found.Kind, Complexity = Said(complexity) ?? found.Complexity };

    private static Classification Guess(string instruction, int length, string? complexity)
    {
        var (found, confidence, others) = KindWords.Best(instruction, length);
        var kind = found.Length == 0 ? Unknown : found;
        return new Classification(kind, complexity ?? Complexity(kind, instruction, length), confidence, Stages.Rules)
        {
            AlsoLikely = others,
        };
    }

    /// <summary>The classification when nobody knows: a kind no row is made for, so that the table's last row counts.</summary>
    public static Classification Default(string? kind, string? complexity) =>
        new(Said(kind) ?? Unknown, Said(complexity) ?? "medium", 0, Stages.Default);

    private static string? Said(string? text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim().ToLowerInvariant();

    private static string Instruction(IReadOnlyList<LlmMessage> messages, out int length)
    {
        var last = messages.LastOrDefault(message => message.Role == "user") ?? messages.LastOrDefault();
        var text = last?.Content ?? "";
        length = messages.Sum(message => message.Content.Length);
        return text.Length <= Head + Tail ? text : string.Concat(text.AsSpan(0, Head), "\n", text.AsSpan(text.Length - Tail));
    }

    private static string Complexity(string kind, string instruction, int length)
    {
        var words = ComplexityWords.Points(instruction);
        var points = words
            + (length > 6000 ? 1 : 0)
            + (kind is "architecture" or "reasoning" ? 1 : 0)
            - (kind is "question" or "classification" ? 1 : 0)
            - (length < 160 && words <= 0 && kind is not ("architecture" or "reasoning" or "analysis") ? 1 : 0);
        return points switch { >= 2 => "high", < 0 => "low", _ => "medium" };
    }
}
