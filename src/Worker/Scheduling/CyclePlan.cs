using LlmQueue.Limits;
using LlmQueue.Storage.Outbox;

namespace LlmQueue.Worker.Scheduling;

/// <summary>
/// The plan of a scheduling cycle: which tasks get capacity, which are to be planned again, and when something opens next.
/// </summary>
internal sealed class CyclePlan
{
    public List<PlannedGrant> Grants { get; } = [];
    public List<Guid> ToDecideAgain { get; } = [];
    public DateTime? NextOpening { get; set; }
    public IReadOnlyList<OutboxMessage> Alerts { get; set; } = [];

    public static DateTime? Earlier(DateTime? a, DateTime? b) => a is null ? b : b is null || a < b ? a : b;
}

/// <summary>A grant of capacity for one task in one bucket; booked once its row has taken it.</summary>
internal sealed record PlannedGrant(
    WaitQueueHead Head, string Bucket, string Model, ResourceDemand Demand, decimal? PriceUsd, WaitQueue Line)
{
    public bool Booked { get; set; }
}
