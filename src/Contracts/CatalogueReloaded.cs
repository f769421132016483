namespace LlmQueue.Contracts;

/// <summary>A worker has taken up a changed catalogue without a restart. Each worker says so for itself, once a change.</summary>
public sealed record CatalogueReloaded
{
    /// <summary>The worker, as the list of workers names it.</summary>
    public required string Worker { get; init; }
    /// <summary>Tells this text of the catalogue from others: workers that say the same decide by the same.</summary>
    public required string Fingerprint { get; init; }
    /// <summary>What has changed, in words: <c>limits changed: groq:openai/gpt-oss-20b</c>.</summary>
    public required IReadOnlyList<string> Changes { get; init; }
    /// <summary>When (UTC).</summary>
    public required DateTimeOffset At { get; init; }
}
