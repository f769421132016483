using System.Text.Json;

namespace LlmQueue.Storage.Outbox;

/// <summary>
/// A message of the transactional outbox: an event as the object that is published and, should this process die first, as the row that is
/// published instead.
/// </summary>
public sealed record OutboxMessage(Guid Id, object Message, DateTime At)
{
    public OutboxRow ToRow() => new()
    {
        Id = Id, Type = Message.GetType().Name, Body = JsonSerializer.Serialize(Message, Message.GetType(), StoredJson.Options), At = At,
    };
}
