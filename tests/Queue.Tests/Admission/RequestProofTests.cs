using LlmQueue.Limits;
using LlmQueue.Tests.Chaos;

namespace LlmQueue.Tests.Admission;

public sealed class RequestProofTests
{
    private static readonly DateTime Start = new(2026, 11, 21, 12, 0, 0, DateTimeKind.Utc);
    private static readonly TimeSpan Way = TimeSpan.FromMilliseconds(50);
    private static readonly ResourceDemand Call = new(1, 300);

    [Fact]
    public void Lends_only_a_few_calls_until_one_is_answered()
    {
        var bucket = Bucket(rpm: 300);

        Assert.Equal(RequestProof.OnTrust, ReserveAll(bucket, Start));

        Answer(bucket, 1, Start + Way, Start + TimeSpan.FromSeconds(1));
        Assert.InRange(ReserveAll(bucket, Start + TimeSpan.FromSeconds(1)), 1, RequestProof.OnTrust + 5);
    }

    [Fact]
    public void Asks_an_unlimited_bucket_carefully_until_its_first_answer()
    {
        var bucket = Bucket(rpm: null, tpm: null);

        Assert.Equal(RequestProof.OnTrust, ReserveAll(bucket, Start, most: 100));

        Answer(bucket, 1, Start, Start + TimeSpan.FromSeconds(1));
        Assert.Equal(100, ReserveAll(bucket, Start + TimeSpan.FromSeconds(1), most: 100));
    }

    [Fact]
    public void A_claim_twice_too_high_costs_no_more_refusals_than_are_made_on_trust()
    {
        var (answered, refused) = Simulate(claimed: 600, real: 300, seconds: 60);

        Assert.InRange(refused, 1, 2 * RequestProof.OnTrust);
        Assert.InRange(answered, 560, 600);
    }

    [Fact]
    public void A_true_claim_is_tried_with_a_step_of_two_calls_and_then_known()
    {
        var (answered, refused) = Simulate(claimed: 300, real: 300, seconds: 60);

        Assert.InRange(refused, 0, 3);
        Assert.InRange(answered, 580, 600);
    }

    [Fact]
    public void A_claim_of_half_is_outgrown_within_a_minute()
    {
        var (answered, _) = Simulate(claimed: 150, real: 300, seconds: 60);

        Assert.InRange(answered, 540, 600);
    }

    [Fact]
    public void What_the_provider_named_is_neither_doubted_nor_raised_for_a_day()
    {
        var bucket = Bucket(rpm: 600);
        bucket.SettledRequests = 1;
        ProviderCountRule.Correct(bucket, new ProviderCount { LimitRequestsMinute = 300 }, isLatest: false);

        Assert.Equal(300, bucket.RequestsPerMinute);
        Assert.Equal(298, ReserveAll(bucket, Start));
        bucket.Waiting = 1;
        Answer(bucket, 20, Start + Way, Start + TimeSpan.FromSeconds(1));
        Assert.Equal(300, bucket.RequestsPerMinute);
        Assert.Equal(0, RequestProof.Withheld(bucket, Start + TimeSpan.FromHours(25)));

        var dayAfter = Start + TimeSpan.FromHours(25);
        BucketRule.Refill(bucket, dayAfter);
        Assert.Equal(298, ReserveAll(bucket, dayAfter));
        Answer(bucket, 20, dayAfter + Way, dayAfter + TimeSpan.FromMilliseconds(100));
        Assert.Equal(302, bucket.RequestsPerMinute);
    }

    [Fact]
    public void A_limit_that_was_claimed_too_low_gives_its_burst_after_all()
    {
        var bucket = Bucket(rpm: 300, tpm: 30_000);
        BucketRule.Reserve(bucket, new ResourceDemand(1, 3000));

        ProviderCountRule.Correct(bucket, new ProviderCount { LimitTokensMinute = 60_000, RemainingTokensMinute = 57_000 },
            isLatest: false);

        Assert.Equal((60_000 * 0.995) - 3000, bucket.LevelTokensMinute, 6);
    }

    [Fact]
    public void Is_not_raised_where_tokens_hold_back_as_well()
    {
        var bucket = Bucket(rpm: 20, tpm: 20 * 300);
        bucket.Waiting = 1;
        for (var second = 0; second < 20; second++)
        {
            var now = Start + TimeSpan.FromSeconds(second);
            BucketRule.Refill(bucket, now);
            var calls = ReserveAll(bucket, now);
            Answer(bucket, calls, now, now + TimeSpan.FromMilliseconds(500));
        }

        Assert.Equal(20, bucket.RequestsPerMinute);
    }

    [Fact]
    public void A_full_bucket_drips_from_its_first_calls_arrival_on()
    {
        var bucket = Bucket(rpm: 60, known: true);
        BucketRule.Refill(bucket, Start + TimeSpan.FromSeconds(10));
        BucketRule.Reserve(bucket, new ResourceDemand(30, 0));
        var level = bucket.LevelRequestsMinute;

        BucketRule.Refill(bucket, Start + TimeSpan.FromSeconds(10.5));
        Assert.Equal(level, bucket.LevelRequestsMinute);

        // The call was made 0.4 s after it was reserved, and answered at 12 s.
        BucketRule.Refill(bucket, Start + TimeSpan.FromSeconds(12));
        BucketRule.Arrived(bucket, Start + TimeSpan.FromSeconds(10.4));
        Assert.Equal(level + 1.6, bucket.LevelRequestsMinute, 6);

        BucketRule.Refill(bucket, Start + TimeSpan.FromSeconds(13));
        Assert.Equal(level + 2.6, bucket.LevelRequestsMinute, 6);
    }

    [Fact]
    public void A_first_call_that_is_long_on_its_way_is_not_waited_for()
    {
        var bucket = Bucket(rpm: 60, known: true);
        BucketRule.Reserve(bucket, new ResourceDemand(30, 0));
        var level = bucket.LevelRequestsMinute;

        BucketRule.Refill(bucket, Start + TimeSpan.FromSeconds(5));
        Assert.Equal(level + 4, bucket.LevelRequestsMinute, 6);

        BucketRule.Arrived(bucket, Start + TimeSpan.FromSeconds(3));
        Assert.Equal(level + 2, bucket.LevelRequestsMinute, 6);
    }

    /// <summary>
    /// A provider whose bucket is real, calls that take 50 ms to reach it, answers after 500 ms and refusals at once; as many tasks wait
    /// as there is room for.
    /// </summary>
    private static (int Answered, int Refused) Simulate(double claimed, double real, int seconds)
    {
        var bucket = Bucket(rpm: claimed);
        bucket.Waiting = 1;
        var (level, answered, refused) = (real, 0, 0);
        var arriving = new Queue<DateTime>();
        var answering = new Queue<DateTime>();
        for (var now = Start; now < Start + TimeSpan.FromSeconds(seconds); now += TimeSpan.FromMilliseconds(10))
        {
            level = Math.Min(real, level + (real / 6000));
            while (arriving.TryPeek(out var made) && made + Way <= now)
            {
                arriving.Dequeue();
                if (level >= 1)
                {
                    level--;
                    answering.Enqueue(made);
                }
                else
                {
                    refused++;
                    var wait = TimeSpan.FromSeconds((1 - level) * 60 / real);
                    BucketRule.Refill(bucket, now);
                    BucketRule.Settle(bucket, Call, default, providerCountsMinuteTokens: false);
                    ProviderCountRule.Correct(bucket, new ProviderCount { LimitRequestsMinute = real }, isLatest: false);
                    BucketRule.Close(bucket, now + wait, "refused", LimitWindow.RequestsPerMinute, Call, now);
                }
            }

            while (answering.TryPeek(out var made) && made + Way + TimeSpan.FromMilliseconds(500) <= now)
            {
                answering.Dequeue();
                answered++;
                Answer(bucket, 1, made, now);
            }

            BucketRule.Refill(bucket, now);
            for (var room = ReserveAll(bucket, now); room > 0; room--)
                arriving.Enqueue(now);
        }

        return (answered + answering.Count, refused);
    }

    private static int ReserveAll(TokenBucket bucket, DateTime now, int most = int.MaxValue)
    {
        var calls = 0;
        for (; calls < most && BucketRule.OpensAt(bucket, Call, now).At <= now; calls++)
            BucketRule.Reserve(bucket, Call);
        return calls;
    }

    private static void Answer(TokenBucket bucket, int calls, DateTime startedAt, DateTime now)
    {
        BucketRule.Refill(bucket, now);
        for (var i = 0; i < calls; i++)
        {
            BucketRule.Settle(bucket, Call, Call, providerCountsMinuteTokens: false);
            BucketRule.Arrived(bucket, startedAt);
            RequestProof.Prove(bucket, Call, startedAt, now);
        }
    }

    private static TokenBucket Bucket(double? rpm, double? tpm = 1_000_000, bool known = false)
    {
        var bucket = new TokenBucket { AsOf = Start, RequestsPerMinute = rpm, ClaimedRequestsPerMinute = rpm, TokensPerMinute = tpm };
        if (known)
            (bucket.RequestsKnownUntil, bucket.SettledRequests) = (Start.AddDays(1), 1);
        BucketRule.Fill(bucket);
        return bucket;
    }
}
