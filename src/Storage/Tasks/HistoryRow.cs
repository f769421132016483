namespace LlmQueue.Storage.Tasks;

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
