namespace LlmQueue.Limits;

/// <summary>The provider's own count of what is used, from its answer; null where it said nothing.</summary>
public sealed record ProviderCount
{
    public double? LimitRequestsDay { get; init; }
    public double? RemainingRequestsDay { get; init; }
    public double? LimitRequestsMinute { get; init; }
    public double? RemainingRequestsMinute { get; init; }
    public double? LimitTokensMinute { get; init; }
    public double? RemainingTokensMinute { get; init; }
    public double? LimitTokensDay { get; init; }
    public double? RemainingTokensDay { get; init; }
}

/// <summary>
/// Corrects a bucket by the provider's own count and by the limits it names. Pure as <see cref="BucketRule"/> is; the row is changed under
/// its lock only.
/// </summary>
public static class ProviderCountRule
{
    /// <summary>
    /// What the provider says wins. Its count was made when that call arrived: calls of ours still on their way are not in it, so the true
    /// level lies between remaining − in flight and remaining; the ledger is moved to the nearer end when it lies outside.
    /// </summary>
    /// <param name="bucket">The bucket.</param>
    /// <param name="count">What the provider said.</param>
    /// <param name="isLatest">
    /// False when other calls were reserved or settled since this one began: the count may know nothing of them, so it can only lower a
    /// level. Answers of a burst come in any order, and the first call's count, settled last, would give back what all the others took.
    /// </param>
    public static void Correct(TokenBucket bucket, ProviderCount count, bool isLatest)
    {
        var requestsInFlight = bucket.ReservedRequests - bucket.SettledRequests - bucket.ReleasedRequests;
        var tokensInFlight = bucket.ReservedTokens - bucket.SettledTokens - bucket.ReleasedTokens;
        // A window whose limit nobody knew has kept no account: the count is all there is.
        var (anyRequestsDay, anyRequestsMinute, anyTokensMinute, anyTokensDay) = (bucket.RequestsPerDay is null,
            bucket.RequestsPerMinute is null, bucket.TokensPerMinute is null, bucket.TokensPerDay is null);
        Relimit(bucket, count);
        bucket.LevelRequestsDay = Corrected(bucket.LevelRequestsDay, count.RemainingRequestsDay, requestsInFlight,
            isLatest || anyRequestsDay);
        bucket.LevelRequestsMinute = Corrected(bucket.LevelRequestsMinute, count.RemainingRequestsMinute, requestsInFlight,
            isLatest || anyRequestsMinute);
        bucket.LevelTokensMinute = Corrected(bucket.LevelTokensMinute, count.RemainingTokensMinute, tokensInFlight,
            isLatest || anyTokensMinute);
        bucket.LevelTokensDay = Corrected(bucket.LevelTokensDay, count.RemainingTokensDay, tokensInFlight, isLatest || anyTokensDay);
    }

    /// <summary>
    /// What was used of a window stays used when its limit turns out to be another: a claim that was too low gives its burst after all.
    /// </summary>
    private static void Relimit(TokenBucket bucket, ProviderCount count)
    {
        if (count.LimitRequestsDay is { } rpd)
            (bucket.LevelRequestsDay, bucket.RequestsPerDay) = (
                Relimited(bucket.LevelRequestsDay, bucket.RequestsPerDay, rpd, BucketRule.Day), rpd);
        if (count.LimitTokensMinute is { } tpm)
            (bucket.LevelTokensMinute, bucket.TokensPerMinute) = (
                Relimited(bucket.LevelTokensMinute, bucket.TokensPerMinute, tpm, BucketRule.Minute), tpm);
        if (count.LimitTokensDay is { } tpd)
            (bucket.LevelTokensDay, bucket.TokensPerDay) = (
                Relimited(bucket.LevelTokensDay, bucket.TokensPerDay, tpd, BucketRule.Day), tpd);
        if (count.LimitRequestsMinute is not { } rpm)
            return;
        bucket.LevelRequestsMinute = Relimited(bucket.LevelRequestsMinute, bucket.RequestsPerMinute, rpm, BucketRule.Minute);
        RequestProof.Named(bucket, rpm, bucket.AsOf);
    }

    private static double Corrected(double level, double? remaining, double inFlight, bool mayRise) =>
        remaining is not { } left ? level : mayRise ? Math.Clamp(level, left - inFlight, left) : Math.Min(level, left);

    /// <summary>
    /// An unlimited window has kept no account and its level is 0: the remaining count that comes with the limit fills it.
    /// </summary>
    private static double Relimited(double level, double? before, double now, TimeSpan window) =>
        before is null ? level : level + BucketWindow.Capacity(now, window) - BucketWindow.Capacity(before, window);
}
