using LlmQueue.Limits;

namespace LlmQueue.Worker.Admission;

/// <summary>Whether a task may be called now, and where. Pure: the buckets' levels and the time in, a decision out.</summary>
public static class AdmissionRule
{
    /// <param name="candidates">The ways, in their order (OrderRule).</param>
    /// <param name="spread">True for a pool, which has no first choice.</param>
    /// <param name="now">The present.</param>
    public static AdmissionDecision Decide(IReadOnlyList<Candidate> candidates, bool spread, DateTime now)
    {
        if (candidates.Count == 0)
            return new AdmissionDecision.Impossible(
                "No model is left that may answer this task. See its attempts for what each one said; submit it again with another model.");

        var gone = candidates.Where(c => c.Bucket.DisabledReason is { Cause: DisabledCause.ModelGone }).ToList();
        if (gone.Count == candidates.Count)
            return new AdmissionDecision.Impossible(
                $"Every model that may answer is gone: {Sentence(gone[0])}. Name a model in service, or mend the catalogue's routes.");

        // A bucket whose model is gone never opens: a task that fits nowhere else would wait in a queue without a bucket.
        var fitting = candidates.Except(gone).Where(c => BucketRule.CanEverFit(c.Bucket, c.Demand)).ToList();
        if (fitting.Count == 0)
            return new AdmissionDecision.Impossible(TooLarge([.. candidates.Except(gone)]));

        var usable = fitting.Where(c => c.Bucket.DisabledReason is null).ToList();
        if (usable.Count == 0)
            return new AdmissionDecision.NoRoom([.. fitting.Select(c => c.BucketId)], Sentence(fitting[0]), null, Mean(fitting));

        var openings = usable.ConvertAll(c => (Candidate: c, Opening: Opening(c, now)));
        var open = openings.Where(o => o.Opening.At <= now).Select(o => o.Candidate).ToList();
        if (open.Count > 0)
        {

            var first = candidates[0];
            var whyNotFirst = spread || open[0].Model.Id == first.Model.Id ? null : WhyClosed(first, now);
            return new AdmissionDecision.Open(open, whyNotFirst);
        }

        var soonest = openings.MinBy(o => o.Opening.At);
        return new AdmissionDecision.NoRoom([.. usable.Select(c => c.BucketId)], WhyClosed(soonest.Candidate, now), soonest.Opening.At,
            Mean(usable));
    }

    /// <summary>The mean demand of a call over its candidates.</summary>
    public static double Mean(IReadOnlyList<Candidate> candidates) =>
        candidates.Count == 0 ? 0 : candidates.Average(c => (double)c.Demand.Tokens);

    /// <summary>
    /// Orders a pool's candidates by weighted share of free capacity, largest first; of equal ones, as where nothing is limited, the one
    /// with fewer calls open.
    /// </summary>
    public static List<Candidate> Emptiest(IEnumerable<Candidate> ways, Func<Candidate, double>? weight, DateTime now) =>
        [.. ways.OrderByDescending(c => BucketRule.FreeShare(c.Bucket, now) * (weight?.Invoke(c) ?? 1))
            .ThenBy(c => c.Bucket.ReservedRequests - c.Bucket.SettledRequests - c.Bucket.ReleasedRequests)];

    /// <summary>Why a candidate cannot be called now, as a sentence for people.</summary>
    public static string WhyClosed(Candidate candidate, DateTime now)
    {
        var bucket = candidate.Bucket;
        if (bucket.DisabledReason is not null)
            return Sentence(candidate);
        if (!BucketRule.CanEverFit(bucket, candidate.Demand))
            return $"{candidate.Model.Id} of {bucket.Organisation} can never take it: "
                + $"it needs {candidate.Demand.Tokens:N0} tokens, its limit is {bucket.TokensPerMinute:N0} a minute";
        if (BreakerRule.StateOf(bucket, now) == BreakerState.Open)
            return $"{candidate.Model.Id} of {bucket.Organisation} has its circuit breaker open until "
                + $"{BreakerRule.OpensAt(bucket, candidate.Demand.Requests, now):HH:mm:ss.fff} UTC: {bucket.BrokenReason}";
        var opening = BucketRule.OpensAt(bucket, candidate.Demand, now);
        if (BreakerRule.OpensAt(bucket, candidate.Demand.Requests, now) > now && opening.Window is null)
            return $"{candidate.Model.Id} of {bucket.Organisation} comes back step by step after an outage";
        if (bucket.ClosedUntil is { } until && until > now && opening.Window is null)
            return $"{candidate.Model.Id} of {bucket.Organisation} is closed until {until:HH:mm:ss.fff} UTC: {bucket.ClosedReason}";
        return opening.At > now
            ? $"{candidate.Model.Id} of {bucket.Organisation} has no room: "
                + $"{Words(opening.Window)} are used up until {opening.At:HH:mm:ss.fff} UTC"
            : $"{candidate.Model.Id} of {bucket.Organisation} serves tasks that came before";
    }

    /// <summary>A bucket that others wait for is not open to a newcomer: it opens for it at the earliest when it next has room.</summary>
    private static Opening Opening(Candidate candidate, DateTime now)
    {
        var opening = BucketRule.OpensAt(candidate.Bucket, candidate.Demand, now);
        return candidate.Bucket.Waiting > 0 && opening.At <= now ? new Opening(now.AddMilliseconds(50), opening.Window) : opening;
    }

    private static string TooLarge(IReadOnlyList<Candidate> candidates)
    {
        var widest = candidates.MaxBy(c => c.Bucket.TokensPerMinute ?? double.MaxValue)!;
        var limit = Math.Min(widest.Bucket.TokensPerMinute ?? double.MaxValue, widest.Bucket.TokensPerDay ?? double.MaxValue);
        return $"The task needs {widest.Demand.Tokens:N0} tokens (prompt and longest answer together); "
            + $"the largest limit of a model that may answer is {limit:N0} ({widest.Model.Id} of {widest.Bucket.Organisation}), "
            + "so no wait would help. Shorten the prompt, lower maxOutputTokens, split the task, or add a key with a higher limit.";
    }

    private static string Sentence(Candidate candidate) =>
        $"{candidate.Model.Id} of {candidate.Bucket.Organisation}: {candidate.Bucket.DisabledReason}";

    private static string Words(LimitWindow? window) => window switch
    {
        LimitWindow.RequestsPerMinute => "requests a minute",
        LimitWindow.RequestsPerDay => "requests a day",
        LimitWindow.TokensPerMinute => "tokens a minute",
        LimitWindow.TokensPerDay => "tokens a day",
        _ => "its limits",
    };
}
