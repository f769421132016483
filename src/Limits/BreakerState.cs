namespace LlmQueue.Limits;

/// <summary>What a call told of the provider's health.</summary>
/// <param name="IsAlive">True when it answered, were it with a refusal; false when it met a fault of the provider's.</param>
/// <param name="Reason">The fault, as a sentence.</param>
/// <param name="OpensBreaker">So many of this worker's latest calls met faults that this one is enough.</param>
public sealed record ProviderSign(bool IsAlive, string Reason = "", bool OpensBreaker = false)
{
    public static ProviderSign Alive { get; } = new(true);
}

/// <summary>How a bucket's breaker stands.</summary>
public enum BreakerState
{
    /// <summary>Calls go through.</summary>
    Closed,

    /// <summary>Nothing is sent until the next probe.</summary>
    Open,

    /// <summary>A probe was answered; calls come back step by step.</summary>
    Recovering,
}
