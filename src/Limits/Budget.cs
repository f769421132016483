namespace LlmQueue.Limits;

/// <summary>A budget's period: money reserved and money spent, apart.</summary>
public sealed class Budget
{
    /// <summary>scope/period, e.g. installation/2026-11-21.</summary>
    public string Id { get; set; } = "";
    public string Scope { get; set; } = "";
    public DateTime PeriodStart { get; set; }
    public DateTime PeriodEnd { get; set; }
    /// <summary>US dollars; null is unlimited.</summary>
    public decimal? LimitUsd { get; set; }
    public decimal SpentUsd { get; set; }
    public int Waiting { get; set; }

    // Ledger: what is in flight is reserved - settled - released
    public decimal ReservedUsd { get; set; }
    public decimal SettledUsd { get; set; }
    public decimal ReleasedUsd { get; set; }

    public decimal InFlightUsd => ReservedUsd - SettledUsd - ReleasedUsd;
}
