namespace LlmQueue.Storage.Webhooks;

/// <summary>
/// A webhook delivery: tells a tenant's address that a task or a batch has ended. Written in the transaction that ended it, kept until it
/// was taken or given up.
/// </summary>
public sealed class WebhookRow
{
    /// <summary>The receiver knows a call that comes twice by it.</summary>
    public Guid Id { get; set; }
    /// <summary>The same, as it is sent.</summary>
    public string MessageId => $"msg_{Id:N}";
    /// <summary>Whose end is told: this task's, or <see cref="BatchId"/>'s.</summary>
    public Guid? TaskId { get; set; }
    public Guid? BatchId { get; set; }
    public string Tenant { get; set; } = "";
    public string Url { get; set; } = "";
    /// <summary><c>task.completed</c>, <c>task.failed</c>, <c>batch.completed</c>, …</summary>
    public string Type { get; set; } = "";
    public DateTime CreatedAt { get; set; }
    /// <summary>When it is to be tried next; while it is being tried, when it counts as lost with its worker.</summary>
    public DateTime DueAt { get; set; }
    /// <summary>Set while a worker is calling; older than the lease, that worker is gone.</summary>
    public DateTime? TakenAt { get; set; }
    public int Attempts { get; set; }
    /// <summary>As many of its tries belong to rounds before the last replay: the schedule counts from there.</summary>
    public int TriesBefore { get; set; }
    /// <summary>What came of the last try, as a sentence.</summary>
    public string? LastResult { get; set; }
    /// <summary>When the receiver took it, or it was given up.</summary>
    public DateTime? DoneAt { get; set; }
    public bool Delivered { get; set; }
}

/// <summary>One try of a webhook delivery. A try whose worker died with it has no row.</summary>
public sealed class WebhookTryRow
{
    public Guid WebhookId { get; set; }
    /// <summary>From 1, over all rounds.</summary>
    public int Number { get; set; }
    /// <summary>When its result was there.</summary>
    public DateTime At { get; set; }
    public int Milliseconds { get; set; }
    public string Result { get; set; } = "";
}
