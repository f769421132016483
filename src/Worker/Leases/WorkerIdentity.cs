namespace LlmQueue.Worker.Leases;

/// <summary>The identity of this worker process: a claim names it, its heartbeat keeps the claim alive.</summary>
public sealed class WorkerIdentity
{
    public Guid Id { get; } = Guid.CreateVersion7();
    public string Name { get; } = $"{Environment.MachineName}/{Environment.ProcessId}";
}
