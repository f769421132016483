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
}
