using LlmQueue.Catalogue;

namespace LlmQueue.Worker.Routing;

/// <summary>What the routing table is asked.</summary>
public sealed record RouteRequest
{
    public string? Kind { get; init; }
    public string? Complexity { get; init; }
    public string? Priority { get; init; }

    /// <summary>Never sent down a row that is there for speed or for a busy hour.</summary>
    public bool HighStakes { get; init; }

    /// <summary>The caller's class of work.</summary>
    public string? Agent { get; init; }

    /// <summary>Whose task it is; the catalogue knows its tier.</summary>
    public string? Tenant { get; init; }

    /// <summary>Messages of the conversation, instructions to the model not counted.</summary>
    public int ConversationTurns { get; init; }

    /// <summary>It cannot be done without what was said before.</summary>
    public bool NeedsContext { get; init; }

    /// <summary>How sure it is what the task is: 1 where its producer said so, 0 where nobody knows.</summary>
    public double Confidence { get; init; } = 1;

    /// <summary>Other kinds it may be, likelier ones first.</summary>
    public IReadOnlyList<string> AlsoLikely { get; init; } = [];

    /// <summary>Estimated tokens of the prompt.</summary>
    public required int PromptTokens { get; init; }

    /// <summary>The most tokens the answer may have.</summary>
    public required int MaxOutputTokens { get; init; }

    /// <summary>The model that alone may answer, as the producer wrote it.</summary>
    public string? Model { get; init; }
}

/// <summary>What is known besides the task and the catalogue.</summary>
/// <param name="HasKey">Whether a provider, by its lower-case name, can be called.</param>
/// <param name="Today">Decides who has retired.</param>
/// <param name="TokensPerMinute">The most tokens one call to a model may reserve, where known: a call above the minute's limit never fits,
/// however long it waits. Null leaves it unchecked.</param>
public sealed record RouteConditions(Func<string, bool> HasKey, DateOnly Today, Func<ModelEntry, long?>? TokensPerMinute = null)
{
    /// <summary>How full the limits are, 0 to 1; see LoadRule.</summary>
    public double Load { get; init; }
}
