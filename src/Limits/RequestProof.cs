namespace LlmQueue.Limits;

/// <summary>
/// Learns the true limit of requests a minute, which Groq tells in no header. The catalogue's value is a claim: above what the provider was
/// seen to take, only a few calls are made on trust until they are answered, so that a claim that is too high costs a few refusals and not
/// a burst of them. A claim that is too low is found by going carefully above it when it is all that holds tasks back. A refusal that names
/// the limit ends both: "Limit 300" is the truth.
/// </summary>
public static class RequestProof
{
    /// <summary>
    /// Calls made above what is proven, before an answer proves more. A new bucket opens by so many each round trip; it loses nothing by
    /// it, since it drips meanwhile.
    /// </summary>
    public const int OnTrust = 16;

    /// <summary>
    /// How long it takes until a few more are lent out, where nothing better is known: a count is proven by a call that was made after it
    /// and has been answered, so by two calls of half a second.
    /// </summary>
    private static readonly TimeSpan ProofTakes = TimeSpan.FromSeconds(1);

    /// <summary>The first step above a claim; each further one doubles what was added.</summary>
    private const double FirstStep = 2;

    /// <summary>An answer wakes the tasks that wait for it; this is only for the case that none comes.</summary>
    internal static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(250);

    /// <summary>Organisations move up a tier now and then: a limit that was named is tried again after this.</summary>
    private static readonly TimeSpan Believed = TimeSpan.FromDays(1);

    /// <summary>
    /// True while nothing was ever answered from the bucket and enough calls are on their way to tell: its other limits and the model's way
    /// of counting are not known either.
    /// </summary>
    public static bool IsUntried(TokenBucket bucket, ResourceDemand need) =>
        bucket.SettledRequests == 0 && bucket.ReservedRequests - bucket.ReleasedRequests + need.Requests > OnTrust;

    /// <summary>Requests of the minute's window that are not lent out yet.</summary>
    public static double Withheld(TokenBucket bucket, DateTime now) =>
        bucket.RequestsPerMinute is null || IsKnown(bucket, now)
            ? 0
            : Math.Max(0, BucketWindow.Full(bucket.RequestsPerMinute, BucketRule.Minute) - bucket.ProvenRequests - OnTrust);

    /// <summary>What will still be withheld after a time, with one proof after the other lending out a few more.</summary>
    internal static double WithheldAfter(TokenBucket bucket, DateTime now, TimeSpan within) =>
        Math.Max(0, Withheld(bucket, now) - (OnTrust * (within / ProofTakes)));

    /// <summary>
    /// The provider has named its limit, in a header or in a refusal. When that is no longer believed it still counts as proven: only what
    /// lies above is tried.
    /// </summary>
    public static void Named(TokenBucket bucket, double limit, DateTime now) =>
        (bucket.RequestsPerMinute, bucket.RequestsKnownUntil, bucket.ProvenRequests, bucket.MarkAt) = (limit, now + Believed, limit, null);

    /// <summary>
    /// An answered call proves the window's count as it was before the call was made: calls on their way since prove nothing. When the
    /// whole limit is proven, and it alone holds tasks back, it is raised a step.
    /// </summary>
    public static void Prove(TokenBucket bucket, ResourceDemand answered, DateTime startedAt, DateTime now)
    {
        if (bucket.RequestsPerMinute is null || IsKnown(bucket, now) || (bucket.MarkAt is { } mark && startedAt < mark))
            return;
        if (bucket.MarkAt is not null)
            bucket.ProvenRequests = Math.Max(bucket.ProvenRequests, bucket.MarkRequests);
        (bucket.MarkRequests, bucket.MarkAt) = (BucketRule.UsedRequests(bucket), now);
        if (IsAllThatHoldsBack(bucket, answered, now))
            Raise(bucket);
    }

    private static bool IsAllThatHoldsBack(TokenBucket bucket, ResourceDemand need, DateTime now) =>
        bucket.Waiting > 0 && bucket.LevelRequestsMinute < 1 && !(bucket.ClosedUntil > now)
        && bucket.ProvenRequests >= BucketWindow.Full(bucket.RequestsPerMinute, BucketRule.Minute) - 1.5
        && (bucket.TokensPerMinute is null || bucket.LevelTokensMinute >= need.Tokens)
        && (bucket.TokensPerDay is null || bucket.LevelTokensDay >= need.Tokens)
        && (bucket.RequestsPerDay is null || bucket.LevelRequestsDay >= 1);

    private static void Raise(TokenBucket bucket)
    {
        var before = BucketWindow.Full(bucket.RequestsPerMinute, BucketRule.Minute);
        bucket.RequestsPerMinute += Math.Max(FirstStep,
            bucket.RequestsPerMinute!.Value - (bucket.ClaimedRequestsPerMinute ?? bucket.RequestsPerMinute.Value));
        bucket.LevelRequestsMinute += BucketWindow.Full(bucket.RequestsPerMinute, BucketRule.Minute) - before;
    }

    private static bool IsKnown(TokenBucket bucket, DateTime now) => bucket.RequestsKnownUntil > now;
}
