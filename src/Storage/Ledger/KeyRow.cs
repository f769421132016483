namespace LlmQueue.Storage.Ledger;

/// <summary>One key of a provider: its health and what was asked through it. The secret itself is never stored.</summary>
public sealed class KeyRow
{
    public string Alias { get; set; } = "";
    public string Provider { get; set; } = "";
    public string Organisation { get; set; } = "";
    public string? RefusedReason { get; set; }
    public DateTime? RefusedAt { get; set; }
    public long Calls { get; set; }
    public long Throttled { get; set; }
    public long Faults { get; set; }
    public long InputTokens { get; set; }
    public long OutputTokens { get; set; }
    public DateTime? LastUsedAt { get; set; }
}
