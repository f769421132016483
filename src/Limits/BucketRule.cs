namespace LlmQueue.Limits;

/// <summary>
/// The arithmetic of a token bucket: continuously refilled levels, as the providers' own published answers show. Pure: a row and a time in,
/// a value out; the methods that change the row are called under its lock only.
/// </summary>
public static class BucketRule
{
    public static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    public static readonly TimeSpan Day = TimeSpan.FromDays(1);

    /// <summary>A first call that takes longer than this from its reservation to the provider is not waited for.</summary>
    private static readonly TimeSpan LongestWay = TimeSpan.FromSeconds(1);

    /// <summary>Brings the levels up to <paramref name="now"/>. A clock that went backwards changes nothing.</summary>
    public static void Refill(TokenBucket bucket, DateTime now)
    {
        var passed = now - bucket.AsOf;
        if (passed <= TimeSpan.Zero)
            return;
        bucket.LevelRequestsMinute = BucketWindow.Refilled(bucket.LevelRequestsMinute, bucket.RequestsPerMinute, Minute,
            BucketWindow.Past(RequestsFrom(bucket), now));
        bucket.LevelRequestsDay = BucketWindow.Refilled(bucket.LevelRequestsDay, bucket.RequestsPerDay, Day, passed);
        bucket.LevelTokensMinute = BucketWindow.Refilled(bucket.LevelTokensMinute, bucket.TokensPerMinute, Minute,
            BucketWindow.Past(TokensFrom(bucket), now));
        bucket.LevelTokensDay = BucketWindow.Refilled(bucket.LevelTokensDay, bucket.TokensPerDay, Day, passed);
        bucket.AsOf = now;
    }

    /// <summary>False when the call is larger than a window's whole limit: waiting would never help.</summary>
    public static bool CanEverFit(TokenBucket bucket, ResourceDemand need) =>
        need.Requests <= BucketWindow.Capacity(bucket.RequestsPerMinute, Minute)
            && need.Requests <= BucketWindow.Capacity(bucket.RequestsPerDay, Day)
        && need.Tokens <= BucketWindow.Capacity(bucket.TokensPerMinute, Minute)
        && need.Tokens <= BucketWindow.Capacity(bucket.TokensPerDay, Day);

    /// <summary>
    /// When the bucket has room for the call: <paramref name="now"/> when it has it already; the window that is last to open is named.
    /// </summary>
    public static Opening OpensAt(TokenBucket bucket, ResourceDemand need, DateTime now)
    {
        var opening = new Opening(now, null);
        if (bucket.ClosedUntil is { } closed && closed > now)
            opening = new Opening(closed, null);
        if (BreakerRule.OpensAt(bucket, need.Requests, now) is var unbroken && unbroken > opening.At)
            opening = new Opening(unbroken, null);
        if (RequestProof.IsUntried(bucket, need) && opening.At < now + RequestProof.LookAgain)
            opening = new Opening(now + RequestProof.LookAgain, null);
        var open = bucket.LevelRequestsMinute - RequestProof.Withheld(bucket, now);
        opening = Later(
            opening, LimitWindow.RequestsPerMinute, open, bucket.RequestsPerMinute, Minute, need.Requests, RequestsFrom(bucket), now);
        opening = Later(opening, LimitWindow.RequestsPerDay, bucket.LevelRequestsDay, bucket.RequestsPerDay, Day, need.Requests,
            bucket.AsOf, now);
        opening = Later(opening, LimitWindow.TokensPerMinute, bucket.LevelTokensMinute, bucket.TokensPerMinute, Minute, need.Tokens,
            TokensFrom(bucket), now);
        return Later(opening, LimitWindow.TokensPerDay, bucket.LevelTokensDay, bucket.TokensPerDay, Day, need.Tokens, bucket.AsOf, now);
    }

    /// <summary>How much of the tightest minute window is free, 0 to 1; an unlimited bucket is wholly free.</summary>
    public static double FreeShare(TokenBucket bucket, DateTime now)
    {
        var requests = bucket.RequestsPerMinute is { } rpm
            ? (BucketWindow.Refilled(bucket.LevelRequestsMinute, rpm, Minute, BucketWindow.Past(RequestsFrom(bucket), now))
                - RequestProof.Withheld(bucket, now))
                / rpm
            : 1;
        var tokens = bucket.TokensPerMinute is { } tpm
            ? BucketWindow.Refilled(bucket.LevelTokensMinute, tpm, Minute, BucketWindow.Past(TokensFrom(bucket), now)) / tpm
            : 1;
        return Math.Max(0, Math.Min(requests, tokens));
    }

    /// <summary>Takes a call's need out of every window.</summary>
    public static void Reserve(TokenBucket bucket, ResourceDemand need)
    {
        if (BucketWindow.IsFull(bucket.LevelRequestsMinute, bucket.RequestsPerMinute))
            bucket.RequestsDripFrom = bucket.AsOf + LongestWay;
        if (BucketWindow.IsFull(bucket.LevelTokensMinute, bucket.TokensPerMinute))
            bucket.TokensDripFrom = bucket.AsOf + LongestWay;
        BreakerRule.Taken(bucket, need.Requests);
        Take(bucket, need);
        bucket.ReservedRequests += need.Requests;
        bucket.ReservedTokens += need.Tokens;
    }

    /// <summary>
    /// The provider's full window gains nothing until the first call has arrived, while ours would drip from its reservation on: without
    /// this we are ahead by rate × way for as long as the window stays busy, and no header tells of requests. The first answer says when
    /// its call was made: from then on both drip.
    /// </summary>
    public static void Arrived(TokenBucket bucket, DateTime startedAt)
    {
        if (Owed(bucket.RequestsDripFrom, startedAt, bucket.AsOf) is { } requests)
            (bucket.RequestsDripFrom, bucket.LevelRequestsMinute) = (null,
                BucketWindow.Refilled(bucket.LevelRequestsMinute, bucket.RequestsPerMinute, Minute, requests));
        if (Owed(bucket.TokensDripFrom, startedAt, bucket.AsOf) is { } tokens)
            (bucket.TokensDripFrom, bucket.LevelTokensMinute) = (null,
                BucketWindow.Refilled(bucket.LevelTokensMinute, bucket.TokensPerMinute, Minute, tokens));
    }

    /// <summary>
    /// The time that a window should have dripped and has not, negative the other way round; null when it waits for no
    /// call, or for a later one.
    /// </summary>
    private static TimeSpan? Owed(DateTime? from, DateTime startedAt, DateTime asOf)
    {
        if (from is not { } until || startedAt < until - LongestWay)
            return null;
        var begun = until < asOf ? until : asOf;
        return begun - (startedAt < asOf ? startedAt : asOf);
    }

    /// <summary>
    /// Ends a reservation: what was used stays taken, the rest is given back. Where the provider counted the minute's tokens itself in the
    /// same answer, its count decides (<see cref="ProviderCountRule.Correct"/>) and nothing is given back to that window: some providers
    /// return unused output tokens, some do not.
    /// </summary>
    public static void Settle(
        TokenBucket bucket, ResourceDemand reserved, ResourceDemand used, bool providerCountsMinuteTokens, long? chargedOnArrival = null)
    {
        bucket.SettledRequests += Math.Min(reserved.Requests, used.Requests);
        bucket.ReleasedRequests += Math.Max(0, reserved.Requests - used.Requests);
        bucket.SettledTokens += Math.Min(reserved.Tokens, used.Tokens);
        bucket.ReleasedTokens += Math.Max(0, reserved.Tokens - used.Tokens);

        var requests = reserved.Requests - used.Requests;
        var tokens = reserved.Tokens - used.Tokens;
        bucket.LevelRequestsMinute = BucketWindow.Capped(bucket.LevelRequestsMinute + requests, bucket.RequestsPerMinute, Minute);
        bucket.LevelRequestsDay = BucketWindow.Capped(bucket.LevelRequestsDay + requests, bucket.RequestsPerDay, Day);
        bucket.LevelTokensDay = BucketWindow.Capped(bucket.LevelTokensDay + tokens, bucket.TokensPerDay, Day);
        // What the estimate of the prompt was wrong by is certain in either direction; without it a bucket would lose every
        // over-estimate for good.
        var minute = providerCountsMinuteTokens
            ? chargedOnArrival is { } charged ? reserved.Tokens - charged : Math.Min(0, tokens)
            : tokens;
        bucket.LevelTokensMinute = BucketWindow.Capped(bucket.LevelTokensMinute + minute, bucket.TokensPerMinute, Minute);
    }

    /// <summary>
    /// Closes the bucket as a refusal demands: the later of two deadlines stands, and the refused window is set so that it holds just that
    /// one call when the time has come. What follows drips at the limit's rate: a ramp, not a flood.
    /// </summary>
    public static void Close(TokenBucket bucket, DateTime until, string reason, LimitWindow? window, ResourceDemand refused, DateTime now)
    {
        bucket.Throttled++;
        LeaveAlone(bucket, until, reason);
        var wait = until - now;
        if (window is null or LimitWindow.RequestsPerMinute)
            bucket.LevelRequestsMinute = BucketWindow.LevelThatOpens(
                bucket.LevelRequestsMinute, bucket.RequestsPerMinute, Minute, refused.Requests, wait);
        if (window is LimitWindow.RequestsPerDay)
            bucket.LevelRequestsDay = BucketWindow.LevelThatOpens(
                bucket.LevelRequestsDay, bucket.RequestsPerDay, Day, refused.Requests, wait);
        if (window is null or LimitWindow.TokensPerMinute)
            bucket.LevelTokensMinute = BucketWindow.LevelThatOpens(
                bucket.LevelTokensMinute, bucket.TokensPerMinute, Minute, refused.Tokens, wait);
        if (window is LimitWindow.TokensPerDay)
            bucket.LevelTokensDay = BucketWindow.LevelThatOpens(bucket.LevelTokensDay, bucket.TokensPerDay, Day, refused.Tokens, wait);
    }

    /// <summary>Sends nothing until then, though no limit is reached; the later of two deadlines stands.</summary>
    public static void LeaveAlone(TokenBucket bucket, DateTime until, string reason)
    {
        if (bucket.ClosedUntil is null || until > bucket.ClosedUntil)
            (bucket.ClosedUntil, bucket.ClosedReason) = (until, reason);
    }

    /// <summary>An untouched bucket.</summary>
    public static void Fill(TokenBucket bucket)
    {
        bucket.LevelRequestsMinute = BucketWindow.Full(bucket.RequestsPerMinute, Minute);
        bucket.LevelRequestsDay = BucketWindow.Full(bucket.RequestsPerDay, Day);
        bucket.LevelTokensMinute = BucketWindow.Full(bucket.TokensPerMinute, Minute);
        bucket.LevelTokensDay = BucketWindow.Full(bucket.TokensPerDay, Day);
    }

    private static void Take(TokenBucket bucket, ResourceDemand need)
    {
        // An unlimited window keeps no account: it would be a debt on the day a limit is learned.
        if (bucket.RequestsPerMinute is not null) bucket.LevelRequestsMinute -= need.Requests;
        if (bucket.RequestsPerDay is not null) bucket.LevelRequestsDay -= need.Requests;
        if (bucket.TokensPerMinute is not null) bucket.LevelTokensMinute -= need.Tokens;
        if (bucket.TokensPerDay is not null) bucket.LevelTokensDay -= need.Tokens;
    }

    /// <summary>Requests that the minute's window has counted of a full one.</summary>
    internal static double UsedRequests(TokenBucket bucket) =>
        BucketWindow.Full(bucket.RequestsPerMinute, Minute) - bucket.LevelRequestsMinute;

    private static DateTime RequestsFrom(TokenBucket bucket) =>
        bucket.RequestsDripFrom is { } from && from > bucket.AsOf ? from : bucket.AsOf;

    private static DateTime TokensFrom(TokenBucket bucket) => bucket.TokensDripFrom is { } from && from > bucket.AsOf ? from : bucket.AsOf;

    private static Opening Later(
        Opening opening, LimitWindow name, double level, double? limit, TimeSpan window, double need, DateTime asOf, DateTime now)
    {
        if (limit is not { } l || need <= 0)
            return opening;
        if (need > BucketWindow.Capacity(limit, window))
            return new Opening(DateTime.MaxValue, name);
        var missing = need - level;
        if (missing <= 0)
            return opening;
        var full = asOf + window * (missing / l);
        // A tick of rounding must not make the opening lie before the moment it is true.
        full = full.AddTicks(1);
        return full > opening.At ? new Opening(full < now ? now : full, full > now ? name : opening.Window) : opening;
    }
}

/// <summary>The moment at which a bucket has capacity for a call.</summary>
/// <param name="At">The time; the present when it is open.</param>
/// <param name="Window">The window that holds it back, null when the provider closed it or nothing does.</param>
public readonly record struct Opening(DateTime At, LimitWindow? Window);
