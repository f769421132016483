using LlmQueue.Limits;

namespace LlmQueue.Worker.Routing;

/// <summary>
/// The load of the installation, 0 to 1: the mean over the limited buckets in use, each by its tighter minute window. A bucket for which
/// tasks wait, or which its provider has closed, counts as full; one that is disabled or unlimited does not count. Pure.
/// </summary>
public static class LoadRule
{
    /// <param name="buckets">Refilled to <paramref name="now"/>.</param>
    /// <param name="now">The present.</param>
    public static double Of(IEnumerable<TokenBucket> buckets, DateTime now)
    {
        var (sum, count) = (0.0, 0);
        foreach (var bucket in buckets)
        {
            if (bucket.DisabledReason is not null || (bucket.RequestsPerMinute ?? bucket.TokensPerMinute) is null)
                continue;
            // Not what admission calls free: a bucket that is not proven yet is empty all the same.
            var free = Math.Min(bucket.LevelRequestsMinute / bucket.RequestsPerMinute ?? 1,
                bucket.LevelTokensMinute / bucket.TokensPerMinute ?? 1);
            sum += bucket.Waiting > 0 || bucket.ClosedUntil > now ? 1 : 1 - Math.Clamp(free, 0, 1);
            count++;
        }

        return count == 0 ? 0 : sum / count;
    }
}
