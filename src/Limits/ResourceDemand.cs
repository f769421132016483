namespace LlmQueue.Limits;

/// <summary>What one call takes out of a bucket.</summary>
/// <param name="Requests">Requests, 1 for a call.</param>
/// <param name="Tokens">Prompt estimate and the most output tokens together: providers charge both on arrival.</param>
public readonly record struct ResourceDemand(int Requests, long Tokens);

/// <summary>The windows a provider limits.</summary>
public enum LimitWindow
{
    RequestsPerMinute,
    RequestsPerDay,
    TokensPerMinute,
    TokensPerDay,
}
