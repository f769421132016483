using LlmQueue.Contracts;
using LlmQueue.Store.Commits;
using LlmQueue.Store.Limits;
using LlmQueue.Store.Rows;

namespace LlmQueue.Worker.Admission.Pacing;

/// <summary>What a round means to do: whom it gives room, who is to be decided again, and when something opens next.</summary>
internal sealed class RoundPlan
{
    public List<PlannedGrant> Grants { get; } = [];
    public List<Guid> ToDecideAgain { get; } = [];
    public DateTime? NextOpening { get; set; }
    public IReadOnlyList<Announcement> Alerts { get; set; } = [];

    public static DateTime? Earlier(DateTime? a, DateTime? b) => a is null ? b : b is null || a < b ? a : b;
}

/// <summary>Room for one task in one bucket; booked once its row has taken it.</summary>
internal sealed record PlannedGrant(LineHead Head, string Bucket, string Model, Need Need, decimal? PriceUsd, LineRow Line)
{
    public bool Booked { get; set; }
}
