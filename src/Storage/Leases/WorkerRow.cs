namespace LlmQueue.Storage.Leases;

/// <summary>A worker process and its last heartbeat.</summary>
public sealed class WorkerRow
{
    public Guid Id { get; set; }
    public string Name { get; set; } = "";
    public DateTime StartedAt { get; set; }
    public DateTime SeenAt { get; set; }
}
