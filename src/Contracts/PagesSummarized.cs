namespace LlmQueue.Contracts;

/// <summary>
/// A set of pages is summarised. Pages that failed for good are in the list with their reason; they neither sink the whole nor vanish.
/// </summary>
public sealed record PagesSummarized
{
    /// <summary>The summary.</summary>
    public required Guid SummaryId { get; init; }
    /// <summary>Whose work it was.</summary>
    public required string Tenant { get; init; }
    /// <summary><c>Completed</c>, <c>Failed</c> or <c>Canceled</c>.</summary>
    public required string State { get; init; }
    /// <summary>The summary of the whole; null when none could be made.</summary>
    public string? Summary { get; init; }
    /// <summary>True when no model wrote <see cref="Summary"/>: it is made of sentences of the pages' summaries.</summary>
    public bool IsExtract { get; init; }
    /// <summary>The answer to the question; null without a question.</summary>
    public string? Answer { get; init; }
    /// <summary>Why there is no summary, or what is missing from it.</summary>
    public string? Reason { get; init; }
    /// <summary>The pages, in their order.</summary>
    public required IReadOnlyList<PageResult> Pages { get; init; }
    /// <summary>Tokens of all calls, from the provider's usage.</summary>
    public required LlmUsage Usage { get; init; }
    /// <summary>Cost of all calls in US dollars; null when a price is unknown.</summary>
    public decimal? CostUsd { get; init; }
    /// <summary>When it ended (UTC).</summary>
    public required DateTimeOffset At { get; init; }
    /// <summary>The caller's labels.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>What became of one page.</summary>
public sealed record PageResult
{
    /// <summary>The page's place, from 1.</summary>
    public required int Number { get; init; }
    /// <summary>Its title.</summary>
    public required string Title { get; init; }
    /// <summary>
    /// <c>Completed</c>, <c>Extracted</c> (no model could take it in time: the summary is sentences of the page itself), <c>Failed</c>,
    /// <c>Rejected</c>, <c>Canceled</c> or <c>Expired</c>.
    /// </summary>
    public required string State { get; init; }
    /// <summary>Its summary; null when there is none.</summary>
    public string? Summary { get; init; }
    /// <summary>The model that wrote it; several, separated by a comma, when the page was split.</summary>
    public string? Model { get; init; }
    /// <summary>Why there is no summary, or why it is an extract.</summary>
    public string? Reason { get; init; }
}
