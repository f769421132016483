namespace LlmQueue.Limits;

/// <summary>A tenant's share in start-time fair queueing: the virtual time, in tokens, up to which its waiting work is booked.</summary>
public sealed class TenantShare
{
    public string Name { get; set; } = "";
    public double Weight { get; set; } = 1;
    public double VirtualFinish { get; set; }
}
