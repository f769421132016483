using LlmQueue.Contracts;

namespace LlmQueue.Worker.Passes;

/// <summary>How a prompt that fits no call is put. A closed set.</summary>
public abstract record ChunkDecision
{
    /// <summary>Part by part; what is sent for each.</summary>
    public sealed record InParts(IReadOnlyList<IReadOnlyList<LlmMessage>> Prompts) : ChunkDecision;

    /// <summary>It would take more parts than are read, or than leave room for notes of each beside the answer.</summary>
    public sealed record TooMany(int Parts, int Most) : ChunkDecision;

    /// <summary>Its length is not in one message of text, so that parts of it would not help.</summary>
    public sealed record NoHelp : ChunkDecision;
}
