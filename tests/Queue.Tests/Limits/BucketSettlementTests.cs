using System.Globalization;
using LlmQueue.Limits;
using static LlmQueue.Tests.Limits.TestBuckets;

namespace LlmQueue.Tests.Limits;

/// <summary>What the end of a call does to its bucket: what it used, and what the provider's answer taught.</summary>
public sealed class BucketSettlementTests
{
    [Fact]
    public void Settling_gives_back_what_was_not_used_and_counts_both()
    {
        var bucket = Bucket(rpm: 30, levelRpm: 29, rpd: 1000, levelRpd: 999, tpm: 6000, levelTpm: 5000, tpd: 100_000, levelTpd: 99_000);
        BucketRule.Reserve(bucket, new ResourceDemand(1, 800));
        Assert.Equal((28, 998, 4200, 98_200),
            (bucket.LevelRequestsMinute, bucket.LevelRequestsDay, bucket.LevelTokensMinute, bucket.LevelTokensDay));

        BucketRule.Settle(bucket, new ResourceDemand(1, 800), new ResourceDemand(1, 300), providerCountsMinuteTokens: false);

        Assert.Equal((28, 998, 4700, 98_700),
            (bucket.LevelRequestsMinute, bucket.LevelRequestsDay, bucket.LevelTokensMinute, bucket.LevelTokensDay));
        Assert.Equal((1, 1, 0), (bucket.ReservedRequests, bucket.SettledRequests, bucket.ReleasedRequests));
        Assert.Equal((800, 300, 500), (bucket.ReservedTokens, bucket.SettledTokens, bucket.ReleasedTokens));
    }

    [Fact]
    public void A_refused_call_gives_back_everything()
    {
        var bucket = Bucket(rpm: 30, levelRpm: 20, tpm: 6000, levelTpm: 5000);
        BucketRule.Reserve(bucket, new ResourceDemand(1, 800));
        BucketRule.Settle(bucket, new ResourceDemand(1, 800), new ResourceDemand(0, 0), providerCountsMinuteTokens: false);

        Assert.Equal((20, 5000), (bucket.LevelRequestsMinute, bucket.LevelTokensMinute));
        Assert.Equal((0, 1, 0, 800), (bucket.SettledRequests, bucket.ReleasedRequests, bucket.SettledTokens, bucket.ReleasedTokens));
    }

    [Fact]
    public void More_used_than_reserved_is_taken_from_the_levels_and_the_ledger_still_adds_up()
    {
        var bucket = Bucket(tpm: 6000, levelTpm: 5000, tpd: 100_000, levelTpd: 50_000);
        BucketRule.Reserve(bucket, new ResourceDemand(1, 800));
        BucketRule.Settle(bucket, new ResourceDemand(1, 800), new ResourceDemand(1, 1000), providerCountsMinuteTokens: true);

        Assert.Equal((4000, 49_000), (bucket.LevelTokensMinute, bucket.LevelTokensDay));
        Assert.Equal(bucket.ReservedTokens, bucket.SettledTokens + bucket.ReleasedTokens);
    }

    [Theory]
    [InlineData(700, 4300)]  // the prompt was over-estimated by 100: they come back
    [InlineData(950, 4050)]  // and what it was under-estimated by is taken
    [InlineData(0, 5000)]    // a refused call took nothing
    public void What_a_call_took_on_arrival_is_what_the_minute_has_lost(long charged, double level)
    {
        var bucket = Bucket(tpm: 6000, levelTpm: 5000, tpd: 100_000, levelTpd: 50_000);
        BucketRule.Reserve(bucket, new ResourceDemand(1, 800));
        BucketRule.Settle(bucket, new ResourceDemand(1, 800), new ResourceDemand(1, 300), providerCountsMinuteTokens: true, charged);

        Assert.Equal(level, bucket.LevelTokensMinute);
    }

    [Fact]
    public void Where_the_provider_counts_the_minute_itself_nothing_is_given_back_to_it()
    {
        var bucket = Bucket(tpm: 6000, levelTpm: 5000, tpd: 100_000, levelTpd: 50_000);
        BucketRule.Reserve(bucket, new ResourceDemand(1, 800));
        BucketRule.Settle(bucket, new ResourceDemand(1, 800), new ResourceDemand(1, 300), providerCountsMinuteTokens: true);

        Assert.Equal((4200, 49_700), (bucket.LevelTokensMinute, bucket.LevelTokensDay));
    }

    [Theory]
    [InlineData(5000, 0, 4000, 4000)]     // ours, in flight, what the provider has left, ours then
    [InlineData(3000, 0, 4000, 4000)]
    [InlineData(5000, 1000, 4000, 4000)]  // calls on their way are not in its count: anything from 3,000 to 4,000 agrees with it
    [InlineData(3500, 1000, 4000, 3500)]
    [InlineData(2000, 1000, 4000, 3000)]
    public void The_providers_count_wins_but_for_what_is_still_on_its_way(double ours, long inFlight, double theirs, double then)
    {
        var bucket = Bucket(tpm: 8000, levelTpm: ours);
        bucket.ReservedTokens = inFlight;

        ProviderCountRule.Correct(bucket, new ProviderCount { RemainingTokensMinute = theirs, LimitTokensMinute = 8000 }, isLatest: true);

        Assert.Equal((then, 8000), (bucket.LevelTokensMinute, bucket.TokensPerMinute));
    }

    [Theory]
    [InlineData(1000, 4000, 1000)]
    [InlineData(5000, 4000, 4000)]
    public void A_count_that_others_have_overtaken_only_lowers(double ours, double theirs, double then)
    {
        var bucket = Bucket(tpm: 6000, levelTpm: ours);

        ProviderCountRule.Correct(bucket, new ProviderCount { RemainingTokensMinute = theirs }, isLatest: false);

        Assert.Equal(then, bucket.LevelTokensMinute);
    }

    [Fact]
    public void A_limit_that_nobody_knew_is_learned_with_what_is_left_of_it()
    {
        var bucket = Bucket();

        ProviderCountRule.Correct(bucket, new ProviderCount { LimitTokensMinute = 6000, RemainingTokensMinute = 5000 }, isLatest: false);

        Assert.Equal((6000, 5000), (bucket.TokensPerMinute, bucket.LevelTokensMinute));
    }

    [Fact]
    public void Of_two_deadlines_the_later_stands()
    {
        var bucket = Bucket(tpm: 6000, levelTpm: 6000);

        BucketRule.Close(bucket, Noon.AddSeconds(9), "nine", LimitWindow.TokensPerMinute, new ResourceDemand(1, 100), Noon);
        BucketRule.Close(bucket, Noon.AddSeconds(4), "four", LimitWindow.TokensPerMinute, new ResourceDemand(1, 100), Noon);

        Assert.Equal((Noon.AddSeconds(9), "nine", 2), (bucket.ClosedUntil!.Value, bucket.ClosedReason, bucket.Throttled));
    }

    [Fact]
    public void After_a_refusal_one_call_fits_when_the_time_has_come_and_the_rest_drip()
    {
        var bucket = Bucket(tpm: 6000, levelTpm: 5970);

        BucketRule.Close(bucket, Noon.AddSeconds(5), "busy", LimitWindow.TokensPerMinute, new ResourceDemand(1, 1000), Noon);
        BucketRule.Refill(bucket, Noon.AddSeconds(5));

        Assert.Equal(1000, bucket.LevelTokensMinute, 1e-6);
        BucketRule.Reserve(bucket, new ResourceDemand(1, 1000));
        Assert.Equal(
            10, (BucketRule.OpensAt(bucket, new ResourceDemand(1, 1000), Noon.AddSeconds(5)).At - Noon.AddSeconds(5)).TotalSeconds, 0.001);
    }

    [Fact]
    public void A_refusal_of_one_window_leaves_the_others_as_they_were()
    {
        var bucket = Bucket(rpm: 30, levelRpm: 20, rpd: 1000, levelRpd: 900, tpm: 6000, levelTpm: 5000, tpd: 100_000, levelTpd: 90_000);

        BucketRule.Close(bucket, Noon.AddSeconds(60), "day", LimitWindow.TokensPerDay, new ResourceDemand(1, 1000), Noon);

        Assert.Equal((20, 900, 5000), (bucket.LevelRequestsMinute, bucket.LevelRequestsDay, bucket.LevelTokensMinute));
        Assert.Equal(1000 - (100_000 * 60 / 86_400.0), bucket.LevelTokensDay, 1e-6);
    }

    [Fact]
    public void A_copy_is_the_whole_row()
    {
        var bucket = new TokenBucket();
        foreach (var (property, i) in typeof(TokenBucket).GetProperties().Select((p, i) => (p, i + 1)))
            property.SetValue(bucket, ValueOf(property.PropertyType, i));

        var copy = bucket.Copy();

        Assert.All(typeof(TokenBucket).GetProperties(), property => Assert.Equal(property.GetValue(bucket), property.GetValue(copy)));
    }

    private static object ValueOf(Type type, int i)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type == typeof(string) ? $"{i}"
            : type == typeof(DateTime) ? Noon.AddDays(i)
            : type == typeof(DisabledReason) ? DisabledReason.Read($"reason {i}")
            : Convert.ChangeType(i, type, CultureInfo.InvariantCulture);
    }
}
