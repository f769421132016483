namespace LlmQueue.Store.Rows;

/// <summary>A call that tells a tenant's address that a task has ended: written in the transaction that ended it, kept until it was taken or given up.</summary>
public sealed class WebhookRow
{
    /// <summary>The receiver knows a call that comes twice by it.</summary>
    public Guid Id { get; set; }
    public Guid TaskId { get; set; }
    public string Tenant { get; set; } = "";
    public string Url { get; set; } = "";
    /// <summary><c>task.completed</c>, <c>task.failed</c>, …</summary>
    public string Type { get; set; } = "";
    public DateTime CreatedAt { get; set; }
    /// <summary>When it is to be tried next; while it is being tried, when it counts as lost with its worker.</summary>
    public DateTime DueAt { get; set; }
    public int Attempts { get; set; }
    /// <summary>What came of the last try, as a sentence.</summary>
    public string? LastResult { get; set; }
    /// <summary>When the receiver took it, or it was given up.</summary>
    public DateTime? DoneAt { get; set; }
    public bool Delivered { get; set; }
}
