namespace LlmQueue.Contracts;

/// <summary>
/// Summarise a set of pages: each page over the pool of models in parallel, then one summary of the whole, then the answer to the
/// question if there is one.
/// </summary>
public sealed record SummarizePages
{
    /// <summary>
    /// The summary's identity; a second message with the same id changes nothing. Left out: the message's own id, else a new one.
    /// </summary>
    public Guid? Id { get; init; }
    /// <summary>The pages, in their order. At least one.</summary>
    public IReadOnlyList<PageContent>? Pages { get; init; }
    /// <summary>What the reader wants to know; steers the page summaries and is answered at the end. Left out: a plain summary.</summary>
    public string? Question { get; init; }
    /// <summary>The caller's model (<c>provider:model</c>) for the plan and the final answer. Left out: routed.</summary>
    public string? Model { get; init; }
    /// <summary><c>interactive</c>, <c>normal</c> or <c>batch</c> (the default for pages).</summary>
    public string? Priority { get; init; }
    /// <summary>
    /// After this moment the result is of no use: shortly before it the result is made of what there is, with extracts in place of what no
    /// model could write in time.
    /// </summary>
    public DateTimeOffset? Deadline { get; init; }
    /// <summary>Whose work this is. Left out: <c>default</c>.</summary>
    public string? Tenant { get; init; }
    /// <summary>The caller's own labels, returned with the result.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>One page: text (plain or Markdown), HTML, or over HTTP the address of either.</summary>
public sealed record PageContent
{
    /// <summary>How the page is called in the result. Left out: its first heading, else "Page n".</summary>
    public string? Title { get; init; }
    /// <summary>Plain text or Markdown. Either this or <see cref="Html"/>.</summary>
    public string? Text { get; init; }
    /// <summary>HTML; reduced to its readable text.</summary>
    public string? Html { get; init; }
    /// <summary>
    /// A public http(s) address from which the API fetches the page, at most 5 MB within 15 s; instead of <see cref="Text"/> and
    /// <see cref="Html"/>. Over AMQP nothing is fetched.
    /// </summary>
    public string? Url { get; init; }
}

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
