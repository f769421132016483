namespace LlmQueue.Storage.Outbox;

/// <summary>
/// A row of the transactional outbox: an event, written in the transaction that made it true; deleted once the broker has confirmed it.
/// </summary>
public sealed class OutboxRow
{
    public Guid Id { get; set; }
    public string Type { get; set; } = "";
    public string Body { get; set; } = "";
    public DateTime At { get; set; }
    /// <summary>How often it could not be published.</summary>
    public int Tries { get; set; }
    /// <summary>Why it is not published any more; null while it is. See OutboxPublisher.</summary>
    public string? ParkedReason { get; set; }
}
