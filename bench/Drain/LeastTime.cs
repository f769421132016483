namespace LlmQueue.Bench.Drain;

/// <summary>
/// The least possible time of a scenario. Every window starts full and drips limit/length, so within t seconds a bucket can pass
/// min over its windows of (limit + limit × t/length); the least time is the t at which the sum over the buckets is what there is to drain.
/// For equal calls on minute windows that is (N − burst)/rate, burst = rate × 60 s = Σ min(rpm, tpm / tokens a call).
/// For unequal calls requests and tokens are each summed on their own: no order of calls can be faster, some could be slower.
/// </summary>
internal static class LeastTime
{
    public static TimeSpan Of(Scenario scenario)
    {
        double calls = scenario.Calls.Count, tokens = scenario.Calls.Sum(call => (double)call.Tokens);
        var (low, high) = (0.0, 86_400.0);
        for (var step = 0; step < 60; step++)
        {
            var middle = (low + high) / 2;
            if (Passed(scenario, middle, calls, tokens))
                high = middle;
            else
                low = middle;
        }

        return TimeSpan.FromSeconds(high);
    }

    private static bool Passed(Scenario scenario, double seconds, double calls, double tokens)
    {
        var mean = tokens / calls;
        var equal = scenario.Calls.All(call => call.Tokens == scenario.Calls[0].Tokens);
        double passedCalls = 0, passedTokens = 0;
        foreach (var limits in scenario.Organisations.Distinct(StringComparer.Ordinal).SelectMany(_ => scenario.Models))
        {
            var requests = limits.RequestsPerMinute * (1 + (seconds / 60));
            var room = limits.TokensPerMinute * (1 + (seconds / 60));
            if (limits.TokensPerDay > 0)
                room = Math.Min(room, limits.TokensPerDay * (1 + (seconds / 86_400)));
            passedCalls += equal ? Math.Min(requests, room / mean) : requests;
            passedTokens += room;
        }

        return passedCalls >= calls && passedTokens >= tokens;
    }
}
