namespace LlmQueue.Catalogue;

/// <summary>What the routing table looks at: a task, as far as is known of it, and the moment.</summary>
public sealed record RouteFacts
{
    public string Task { get; init; } = "";
    public string Complexity { get; init; } = "";
    public string Priority { get; init; } = "normal";
    public string Agent { get; init; } = "";
    public string Tier { get; init; } = Tiers.Standard;

    /// <summary>Estimated tokens of the prompt.</summary>
    public int PromptTokens { get; init; }

    /// <summary>Messages of the conversation, instructions to the model not counted.</summary>
    public int Turns { get; init; }

    /// <summary>It cannot be done without what was said before.</summary>
    public bool NeedsContext { get; init; }

    /// <summary>How sure it is what the task is, 0 to 1.</summary>
    public double Confidence { get; init; } = 1;

    /// <summary>How full the limits are, 0 to 1.</summary>
    public double Load { get; init; }

    public bool HighStakes { get; init; }
}
