using LlmQueue.Limits;

namespace LlmQueue.Storage.UnitsOfWork;

/// <summary>The settlement of a reservation: what the call really used, and what the answer taught about the bucket.</summary>
public sealed record Settlement
{
    public required Reservation Reserved { get; init; }
    /// <summary>What the provider charged; nothing for a call it refused or that was never made.</summary>
    public required ResourceDemand Used { get; init; }
    /// <summary>US dollars spent; null when the price is unknown.</summary>
    public decimal? SpentUsd { get; init; }
    public ProviderCount? Count { get; init; }

    /// <summary>
    /// Prompt and longest answer, as the provider took them out of the minute when the call arrived, 0 for a call it refused; null
    /// when that is not known.
    /// </summary>
    public long? ChargedOnArrival { get; init; }

    /// <summary>When the call was made; what happened in its bucket since may not be in the provider's count.</summary>
    public DateTime? Began { get; init; }
    /// <summary>When the call was admitted; null counts as when it began.</summary>
    public DateTime? AdmittedAt { get; init; }
    public Closing? Closing { get; init; }
    public DisabledReason? DisabledReason { get; init; }
    /// <summary>What the call told of the provider's health; null when it told nothing.</summary>
    public ProviderSign? Sign { get; init; }

    /// <summary>The provider took the call and answered it: that it has arrived, and how many it takes, is known.</summary>
    public bool WasAnswered { get; init; }
}

/// <summary>A refusal closes the bucket until a time.</summary>
public sealed record Closing(DateTime Until, string Reason, LimitWindow? Window)
{
    /// <summary>False when no limit was reached (no credit, the provider is full): the levels stand.</summary>
    public bool IsLimit { get; init; } = true;
}

/// <summary>The use of one key by one call, or by a part of one.</summary>
public sealed record KeyUse(string Alias, long InputTokens, long OutputTokens, bool Throttled, bool Fault, string? RefusedReason)
{
    /// <summary>0 for a member of a shared reservation: the call is its lead's.</summary>
    public int Calls { get; init; } = 1;
}
