namespace LlmQueue.Limits;

/// <summary>
/// The circuit breaker of a bucket. It lives in the bucket's row, so all workers share it: every reservation and the capacity scheduler
/// read it with the levels. Open: one half-open probe is let through when it is due, and taking it postpones the next one, so exactly one
/// worker probes. Answered: calls come back as a ramp that doubles with each round of answers. Pure: the methods that change the row are
/// called under its lock only.
/// </summary>
public static class BreakerRule
{
    /// <summary>Faults one after the other, in whichever workers, with no answer between them.</summary>
    public const int FaultsThatOpen = 5;

    /// <summary>What was admitted in the moment of the opening was decided before it; a probe comes seconds later.</summary>
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(2);

    private const int FirstRamp = 2;
    private const int AnswerAdds = 2;

    /// <summary>With so many let through at once it flows.</summary>
    private const int RampIsOver = 64;

    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    /// <summary>A probe without an outcome after this time is followed by another.</summary>
    private static readonly TimeSpan ProbeMayTake = TimeSpan.FromSeconds(30);

    /// <summary>The ramp ends by itself: calls whose worker died must not hold it up.</summary>
    private static readonly TimeSpan RampLasts = TimeSpan.FromMinutes(1);

    /// <summary>An answer wakes the tasks that wait for the ramp; this is only for the case that none comes.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(250);

    public static BreakerState StateOf(TokenBucket bucket, DateTime now) =>
        bucket.BrokenSince is not null ? BreakerState.Open : bucket.RampUntil > now ? BreakerState.Recovering : BreakerState.Closed;

    /// <summary>When a call may be made, as far as the breaker goes.</summary>
    public static DateTime OpensAt(TokenBucket bucket, int requests, DateTime now) => StateOf(bucket, now) switch
    {
        BreakerState.Open => bucket.ProbeAt > now ? bucket.ProbeAt.Value : now,
        BreakerState.Recovering when bucket.RampLeft < requests => now + LookAgain,
        _ => now,
    };

    /// <summary>A call has been reserved: it is the probe, or a step of the ramp.</summary>
    public static void Taken(TokenBucket bucket, int requests)
    {
        if (bucket.BrokenSince is not null)
            bucket.ProbeAt = bucket.AsOf + ProbeMayTake;
        else if (bucket.RampUntil > bucket.AsOf)
            bucket.RampLeft -= requests;
    }

    /// <summary>A reservation ended without a word of the provider: what it took of the ramp comes back.</summary>
    public static void NotSent(TokenBucket bucket, DateTime now)
    {
        if (bucket.RampUntil > now)
            bucket.RampLeft++;
    }

    /// <summary>
    /// True for a call that was admitted while the breaker was open: the probe. Others were admitted before and say nothing of the present.
    /// </summary>
    public static bool IsProbe(TokenBucket bucket, DateTime admittedAt) => bucket.BrokenSince is { } since && admittedAt >= since + Moment;

    /// <summary>Learns from the end of a call that was admitted at <paramref name="admittedAt"/>.</summary>
    public static void Learn(TokenBucket bucket, ProviderSign sign, DateTime admittedAt, DateTime now)
    {
        if (bucket.RampUntil <= now)
            (bucket.RampUntil, bucket.RampLeft, bucket.FailedProbes) = (null, 0, 0);
        if (sign.IsAlive)
            Answered(bucket, admittedAt, now);
        else
            Faulted(bucket, sign, admittedAt, now);
    }

    /// <summary>A look at the provider that cost nothing found it still away: no call is risked before the next look.</summary>
    public static void StillAway(TokenBucket bucket, string reason, DateTime now)
    {
        if (bucket.BrokenSince is null)
            return;
        bucket.FailedProbes++;
        (bucket.BrokenReason, bucket.ProbeAt) = (reason, now + PauseAfter(bucket.FailedProbes));
    }

    private static void Answered(TokenBucket bucket, DateTime admittedAt, DateTime now)
    {
        bucket.FaultsInARow = 0;
        bucket.AnsweredAt = now;
        if (bucket.BrokenSince is not null)
        {
            if (!IsProbe(bucket, admittedAt))
                return;
            (bucket.BrokenSince, bucket.BrokenReason, bucket.ProbeAt) = (null, null, null);
            (bucket.RampUntil, bucket.RampLeft) = (now + RampLasts, FirstRamp);
        }
        else if (bucket.RampUntil is not null)
        {
            bucket.RampLeft += AnswerAdds;
            if (bucket.RampLeft >= RampIsOver)
                (bucket.RampUntil, bucket.RampLeft, bucket.FailedProbes) = (null, 0, 0);
        }
    }

    private static void Faulted(TokenBucket bucket, ProviderSign sign, DateTime admittedAt, DateTime now)
    {
        if (bucket.BrokenSince is not null)
        {
            if (IsProbe(bucket, admittedAt))
                StillAway(bucket, sign.Reason, now);
            return;
        }

        // Stragglers from before the recovery.
        if (bucket.RampUntil is { } until && admittedAt < until - RampLasts)
            return;
        bucket.FaultsInARow++;
        if (bucket.FaultsInARow < FaultsThatOpen && !sign.OpensBreaker && bucket.RampUntil is null)
            return;
        (bucket.BrokenSince, bucket.BrokenReason, bucket.FaultsInARow) = (now, sign.Reason, 0);
        (bucket.RampUntil, bucket.RampLeft) = (null, 0);
        bucket.ProbeAt = now + PauseAfter(bucket.FailedProbes);
    }

    private static TimeSpan PauseAfter(int failedProbes)
    {
        var pause = FirstPause * Math.Pow(2, Math.Min(failedProbes, 8));
        return pause < LongestPause ? pause : LongestPause;
    }
}
