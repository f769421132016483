using LlmQueue.Limits;
using static LlmQueue.Tests.Limits.TestBuckets;

namespace LlmQueue.Tests.Limits;

/// <summary>When a bucket has room.</summary>
public sealed class BucketRuleTests
{
    // ---- What Groq's own answers show (reference/gateways.md §3.1) ----

    [Fact]
    public void One_of_1000_requests_a_day_is_back_after_1m26_4s() =>
        Assert.Equal(86.4, OpensAfter(Bucket(rpd: 1000, levelRpd: 999), new ResourceDemand(1000, 0)), 0.001);

    [Fact]
    public void Thirty_of_14400_requests_a_day_are_back_after_3_minutes() =>
        Assert.Equal(180, OpensAfter(Bucket(rpd: 14400, levelRpd: 14370), new ResourceDemand(14400, 0)), 0.001);

    [Fact]
    public void Tokens_of_12000_a_minute_come_back_at_200_a_second() =>
        Assert.Equal(0.235, OpensAfter(Bucket(tpm: 12000, levelTpm: 11940 - 47), new ResourceDemand(1, 11940)), 0.001);

    [Fact]
    public void A_refusal_with_5034_of_6000_used_and_1443_requested_waits_4_77_seconds() =>
        Assert.Equal(4.77, OpensAfter(Bucket(tpm: 6000, levelTpm: 6000 - 5034), new ResourceDemand(1, 1443)), 0.001);

    [Fact]
    public void The_day_drips_too_so_669_of_100000_tokens_take_9m38_016s() =>
        Assert.Equal(578.016, OpensAfter(Bucket(tpd: 100_000, levelTpd: 100_000 - 97_050), new ResourceDemand(1, 3619)), 0.001);

    // ---- Tables ----

    [Theory]
    [InlineData(10, 0, 1000)]       // seconds passed, level before, level after: 6,000 a minute are 100 a second
    [InlineData(10, -500, 500)]
    [InlineData(10, 4970, 5970)]
    [InlineData(10, 5500, 5970)]    // full is 99.5 % of a minute's limit
    [InlineData(-10, 100, 100)]     // a clock that went backwards changes nothing
    public void Refills_the_minute_at_its_limit_and_no_further_than_its_headroom(int seconds, double before, double after)
    {
        var bucket = Bucket(tpm: 6000, levelTpm: before);

        BucketRule.Refill(bucket, Noon.AddSeconds(seconds));

        Assert.Equal(after, bucket.LevelTokensMinute, 1e-9);
        Assert.Equal(seconds > 0 ? Noon.AddSeconds(seconds) : Noon, bucket.AsOf);
    }

    [Fact]
    public void Refills_every_window_at_its_own_rate()
    {
        var bucket = Bucket(rpm: 60, levelRpm: 0, rpd: 86_400, levelRpd: 0, tpm: 6000, levelTpm: 0, tpd: 864_000, levelTpd: 0);

        BucketRule.Refill(bucket, Noon.AddSeconds(2));

        Assert.Equal((2, 2, 200, 20),
            (bucket.LevelRequestsMinute, bucket.LevelRequestsDay, bucket.LevelTokensMinute, bucket.LevelTokensDay));
    }

    [Fact]
    public void The_window_that_opens_last_is_named()
    {
        var bucket = Bucket(rpm: 60, levelRpm: 0, tpm: 6000, levelTpm: 0, tpd: 86_400, levelTpd: 0);

        Assert.Equal(LimitWindow.TokensPerDay, BucketRule.OpensAt(bucket, new ResourceDemand(1, 200), Noon).Window);
        Assert.Equal(LimitWindow.TokensPerMinute,
            BucketRule.OpensAt(Bucket(rpm: 60, levelRpm: 0, tpm: 6000, levelTpm: 0), new ResourceDemand(1, 200), Noon).Window);
        Assert.Equal(LimitWindow.RequestsPerMinute,
            BucketRule.OpensAt(Bucket(rpm: 60, levelRpm: 0, tpm: 6000, levelTpm: 199), new ResourceDemand(1, 200), Noon).Window);
    }

    [Fact]
    public void A_bucket_with_room_opens_now_and_one_without_limits_always_does()
    {
        Assert.Equal(new Opening(Noon, null), BucketRule.OpensAt(Bucket(tpm: 6000, levelTpm: 200), new ResourceDemand(1, 200), Noon));
        Assert.Equal(new Opening(Noon, null), BucketRule.OpensAt(Bucket(), new ResourceDemand(1, long.MaxValue), Noon));
    }

    [Fact]
    public void A_closed_bucket_opens_when_the_provider_said_even_if_its_levels_are_full()
    {
        var bucket = Bucket(tpm: 6000, levelTpm: 5970);
        bucket.ClosedUntil = Noon.AddSeconds(7);

        Assert.Equal(new Opening(Noon.AddSeconds(7), null), BucketRule.OpensAt(bucket, new ResourceDemand(1, 100), Noon));
        Assert.Equal(new Opening(Noon.AddSeconds(8), null), BucketRule.OpensAt(bucket, new ResourceDemand(1, 100), Noon.AddSeconds(8)));
    }

    [Theory]
    [InlineData(1, 5970, true)]
    [InlineData(1, 5971, false)]    // above what a minute can ever hold
    [InlineData(30, 10, false)]     // 30 requests a minute hold 29.85
    [InlineData(29, 10, true)]
    public void Says_at_once_what_can_never_fit(int requests, long tokens, bool fits)
    {
        var bucket = Bucket(rpm: 30, levelRpm: 0, tpm: 6000, levelTpm: 0);

        Assert.Equal(fits, BucketRule.CanEverFit(bucket, new ResourceDemand(requests, tokens)));
        Assert.Equal(fits, BucketRule.OpensAt(bucket, new ResourceDemand(requests, tokens), Noon).At < DateTime.MaxValue);
    }

    [Fact]
    public void One_request_a_minute_is_one_request_a_minute()
    {
        var bucket = Bucket(rpm: 1, levelRpm: 0, tpm: 6000, levelTpm: 6000);

        Assert.True(BucketRule.CanEverFit(bucket, new ResourceDemand(1, 10)));
        Assert.InRange(BucketRule.OpensAt(bucket, new ResourceDemand(1, 10), Noon).At, Noon.AddSeconds(59), Noon.AddSeconds(61));
    }
}
