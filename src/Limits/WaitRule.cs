namespace LlmQueue.Limits;

/// <summary>A task's place in its wait queue, in tokens.</summary>
/// <param name="Priority">Its class.</param>
/// <param name="Tokens">What its call takes, as it was counted into the wait queue.</param>
/// <param name="AheadInTenant">What its own tenant has before it: its start tag less the present, in the tenant's own tokens.</param>
/// <param name="ActiveTenants">Tenants with work before them, its own among them: each gets its share.</param>
public readonly record struct Place(short Priority, double Tokens, double AheadInTenant, int ActiveTenants);

/// <summary>
/// Estimates when a waiting task moves: the work ahead of it, divided by what the buckets of its wait queue let through. It knows nothing
/// of later tasks with more right, of refusals and of limits not learned yet. Pure.
/// </summary>
public static class WaitRule
{
    /// <summary>Nothing is promised beyond: a task that would wait longer has no expected time.</summary>
    public static readonly TimeSpan Horizon = TimeSpan.FromDays(366);

    private const int Halvings = 48;

    /// <param name="buckets">The buckets of its wait queue with their backlog, this task not counted.</param>
    /// <param name="place">Its place.</param>
    /// <param name="now">The present.</param>
    /// <returns>Null when the buckets, as they are, never come to its turn.</returns>
    public static DateTime? MovesAt(IReadOnlyList<TokenBucket> buckets, Place place, DateTime now)
    {
        var serving = buckets.Where(b => b.DisabledReason is null && BucketRule.CanEverFit(b, new ResourceDemand(1, (long)place.Tokens)))
            .ToList();
        if (serving.Count == 0)
            return null;
        var ahead = Ahead(serving, place);
        var mean = ahead <= 0 ? place.Tokens : serving.Max(Backlog.Mean);
        var calls = (mean > 0 ? ahead / mean : 0) + 1;
        var (early, late) = (TimeSpan.Zero, Horizon);
        if (Passed(serving, (ahead + place.Tokens) / calls, now, late) < calls)
            return null;
        for (var i = 0; i < Halvings && late - early > TimeSpan.FromMilliseconds(1); i++)
        {
            var middle = (early + late) / 2;
            if (Passed(serving, (ahead + place.Tokens) / calls, now, middle) < calls)
                early = middle;
            else
                late = middle;
        }

        return now + late;
    }

    /// <summary>Tokens ahead: those of every higher class, and of its own class as much as fairness lets go before it.</summary>
    private static double Ahead(List<TokenBucket> buckets, Place place) =>
        buckets.Max(b => Backlog.Higher(b, place.Priority)) + Math.Min(buckets.Max(b => Backlog.Same(b, place.Priority)),
            Math.Max(0, place.AheadInTenant) * Math.Max(1, place.ActiveTenants));

    /// <summary>Calls of a size that the buckets together let through within a time.</summary>
    private static double Passed(List<TokenBucket> buckets, double tokens, DateTime now, TimeSpan within)
    {
        var calls = 0.0;
        foreach (var bucket in buckets)
        {
            if ((bucket.ClosedUntil is { } closed && closed > now + within) || BreakerRule.OpensAt(bucket, 0, now) > now + within)
                continue;
            var since = now + within - bucket.AsOf;
            calls += Math.Max(0, Math.Min(
                Math.Min(
                    Room(bucket.LevelRequestsMinute - RequestProof.WithheldAfter(bucket, now, within), bucket.RequestsPerMinute,
                        BucketRule.Minute, since),
                    Room(bucket.LevelRequestsDay, bucket.RequestsPerDay, BucketRule.Day, since)),
                Math.Min(Room(bucket.LevelTokensMinute, bucket.TokensPerMinute, BucketRule.Minute, since),
                    Room(bucket.LevelTokensDay, bucket.TokensPerDay, BucketRule.Day, since)) / Math.Max(1, tokens)));
        }

        return calls;
    }

    private static double Room(double level, double? limit, TimeSpan window, TimeSpan since) =>
        limit is { } l ? level + (l * (since / window)) : 1e12;
}
