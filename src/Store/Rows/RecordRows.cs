namespace LlmQueue.Store.Rows;

/// <summary>One call to a provider: who claimed it, what it cost, why this route.</summary>
public sealed class AttemptRow
{
    public Guid TaskId { get; set; }
    public int Number { get; set; }
    public string Model { get; set; } = "";
    public string Bucket { get; set; } = "";
    public string KeyAlias { get; set; } = "";
    public string Why { get; set; } = "";
    public long ReservedTokens { get; set; }
    public decimal? ReservedUsd { get; set; }
    /// <summary>The pack that is answered by one call, named after its first task; null for a call of its own.</summary>
    public Guid? Pack { get; set; }
    public DateTime CreatedAt { get; set; }
    /// <summary>The worker that makes the call; null until one has claimed it. Only the one that set it may call.</summary>
    public Guid? Worker { get; set; }
    public DateTime? StartedAt { get; set; }
    public DateTime? EndedAt { get; set; }
    /// <summary>"answered", "throttled", "timed out", … ; null while it is open.</summary>
    public string? Outcome { get; set; }
    public string? Detail { get; set; }
    public string? ModelVersion { get; set; }
    public string? PromptHash { get; set; }
    public string? OutputHash { get; set; }
    public long? InputTokens { get; set; }
    public long? OutputTokens { get; set; }
    public decimal? CostUsd { get; set; }
    public int? LatencyMs { get; set; }
}

/// <summary>One entry of a task's or a summary's history: what happened, when, and why.</summary>
public sealed class HistoryRow
{
    public Guid SubjectId { get; set; }
    /// <summary>The subject's version after the transition that wrote it, and a place within it.</summary>
    public int Version { get; set; }
    public short Ordinal { get; set; }
    public DateTime At { get; set; }
    public string Entry { get; set; } = "";
    public string State { get; set; } = "";
    public string? Reason { get; set; }
}

/// <summary>A prompt or an answer: written once, never changed.</summary>
public sealed class PayloadRow
{
    public Guid SubjectId { get; set; }
    /// <summary>"prompt" and "prompt/critique" (JSON: the messages that are sent), "answer" and "draft" (text), "page/7", "extract/7" (JSON: what stands in for that page's summary) …</summary>
    public string Part { get; set; } = "";
    public string Content { get; set; } = "";

    public const string Prompt = "prompt";
    public const string Answer = "answer";

    /// <summary>Of a set of pages: the summary of the whole, by a model or, in the other part, by extraction.</summary>
    public const string Summary = "summary";
    public const string ExtractedSummary = "summary-extract";
    public const string Draft = "draft";

    /// <summary>What is sent in a pass: the question itself, or the messages made for it. Images are sent as they came, and are kept once.</summary>
    public static string PromptOf(string? pass) => pass is null or TaskPasses.Extraction ? Prompt : $"{Prompt}/{pass}";
    /// <summary>How an answer ended that is not simply a text which came to its end (JSON: finish_reason, tool_calls).</summary>
    public const string Ending = "ending";
    /// <summary>Why a line of a batch could not be taken in (JSON: OpenAI's error object).</summary>
    public const string Error = "error";
}

/// <summary>An event for the outside world, in the transaction that made it true; deleted once the broker has confirmed it.</summary>
public sealed class AnnouncementRow
{
    public Guid Id { get; set; }
    public string Type { get; set; } = "";
    public string Body { get; set; } = "";
    public DateTime At { get; set; }
}

/// <summary>A worker process and its last sign of life.</summary>
public sealed class WorkerRow
{
    public Guid Id { get; set; }
    public string Name { get; set; } = "";
    public DateTime StartedAt { get; set; }
    public DateTime SeenAt { get; set; }
}
