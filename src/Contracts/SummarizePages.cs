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
