namespace LlmQueue.Worker.Webhooks;

/// <summary>The decision after a delivery to a tenant's address. A closed set.</summary>
public abstract record WebhookDecision(string Result)
{
    public sealed record Delivered(string Result) : WebhookDecision(Result);

    public sealed record TryAgain(string Result, TimeSpan Pause) : WebhookDecision(Result);

    public sealed record GiveUp(string Result, bool AddressIsGone) : WebhookDecision(Result);
}

/// <summary>The retry schedule of webhooks: Standard Webhooks' own, three days in all.</summary>
public static class WebhookRule
{
    private static readonly TimeSpan[] Pauses =
    [
        TimeSpan.FromSeconds(5), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(30), TimeSpan.FromHours(2), TimeSpan.FromHours(5),
        TimeSpan.FromHours(10), TimeSpan.FromHours(14), TimeSpan.FromHours(20), TimeSpan.FromHours(24),
    ];

    /// <param name="status">The answer's status; null when there was none.</param>
    /// <param name="why">What happened, where there was none.</param>
    /// <param name="retryAfter">What the receiver asked for.</param>
    /// <param name="attempt">From 1.</param>
    /// <param name="jitter">From 0 to 1: a receiver that comes back is not met by all deliveries at once.</param>
    public static WebhookDecision Decide(int? status, string? why, TimeSpan? retryAfter, int attempt, double jitter)
    {
        var result = status is { } code ? $"the receiver answered {code}" : why ?? "no answer";
        if (status is >= 200 and < 300)
            return new WebhookDecision.Delivered(result);
        if (status is 410)
            return new WebhookDecision.GiveUp($"{result}: it wants no calls any more", AddressIsGone: true);
        if (attempt > Pauses.Length)
            return new WebhookDecision.GiveUp($"{result}, {attempt} times in three days", AddressIsGone: false);
        var pause = Pauses[attempt - 1] * (1 + (0.1 * jitter));
        // A receiver that asks for time gets it, up to a day; one that asks for less than its turn does not get more calls.
        if (status is 429 or 503 && retryAfter is { } asked && asked > pause)
            pause = asked < TimeSpan.FromDays(1) ? asked : TimeSpan.FromDays(1);
        return new WebhookDecision.TryAgain(status is >= 300 and < 400 ? $"{result}; redirects are not followed" : result, pause);
    }
}
