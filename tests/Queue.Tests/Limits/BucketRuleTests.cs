using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using LlmQueue.Store.Limits;
using LlmQueue.Store.Rows;

namespace LlmQueue.Tests.Limits;

public sealed class BucketRuleTests
{
    private static readonly DateTime Noon = new(2026, 11, 21, 12, 0, 0, DateTimeKind.Utc);

    // ---- What Groq's own answers show (reference/gateways.md §3.1) ----

    [Fact]
    public void One_of_1000_requests_a_day_is_back_after_1m26_4s() =>
        Assert.Equal(86.4, OpensAfter(Bucket(rpd: 1000, levelRpd: 999), new Need(1000, 0)), 0.001);

    [Fact]
    public void Thirty_of_14400_requests_a_day_are_back_after_3_minutes() =>
        Assert.Equal(180, OpensAfter(Bucket(rpd: 14400, levelRpd: 14370), new Need(14400, 0)), 0.001);

    [Fact]
    public void Tokens_of_12000_a_minute_come_back_at_200_a_second() =>
        Assert.Equal(0.235, OpensAfter(Bucket(tpm: 12000, levelTpm: 11940 - 47), new Need(1, 11940)), 0.001);

    [Fact]
    public void A_refusal_with_5034_of_6000_used_and_1443_requested_waits_4_77_seconds() =>
        Assert.Equal(4.77, OpensAfter(Bucket(tpm: 6000, levelTpm: 6000 - 5034), new Need(1, 1443)), 0.001);

    [Fact]
    public void The_day_drips_too_so_669_of_100000_tokens_take_9m38_016s() =>
        Assert.Equal(578.016, OpensAfter(Bucket(tpd: 100_000, levelTpd: 100_000 - 97_050), new Need(1, 3619)), 0.001);

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

        Assert.Equal((2, 2, 200, 20), (bucket.LevelRequestsMinute, bucket.LevelRequestsDay, bucket.LevelTokensMinute, bucket.LevelTokensDay));
    }

    [Fact]
    public void The_window_that_opens_last_is_named()
    {
        var bucket = Bucket(rpm: 60, levelRpm: 0, tpm: 6000, levelTpm: 0, tpd: 86_400, levelTpd: 0);

        Assert.Equal(LimitWindow.TokensPerDay, BucketRule.OpensAt(bucket, new Need(1, 200), Noon).Window);
        Assert.Equal(LimitWindow.TokensPerMinute, BucketRule.OpensAt(Bucket(rpm: 60, levelRpm: 0, tpm: 6000, levelTpm: 0), new Need(1, 200), Noon).Window);
        Assert.Equal(LimitWindow.RequestsPerMinute, BucketRule.OpensAt(Bucket(rpm: 60, levelRpm: 0, tpm: 6000, levelTpm: 199), new Need(1, 200), Noon).Window);
    }

    [Fact]
    public void A_bucket_with_room_opens_now_and_one_without_limits_always_does()
    {
        Assert.Equal(new Opening(Noon, null), BucketRule.OpensAt(Bucket(tpm: 6000, levelTpm: 200), new Need(1, 200), Noon));
        Assert.Equal(new Opening(Noon, null), BucketRule.OpensAt(Bucket(), new Need(1, long.MaxValue), Noon));
    }

    [Fact]
    public void A_closed_bucket_opens_when_the_provider_said_even_if_its_levels_are_full()
    {
        var bucket = Bucket(tpm: 6000, levelTpm: 5970);
        bucket.ClosedUntil = Noon.AddSeconds(7);

        Assert.Equal(new Opening(Noon.AddSeconds(7), null), BucketRule.OpensAt(bucket, new Need(1, 100), Noon));
        Assert.Equal(new Opening(Noon.AddSeconds(8), null), BucketRule.OpensAt(bucket, new Need(1, 100), Noon.AddSeconds(8)));
    }

    [Theory]
    [InlineData(1, 5970, true)]
    [InlineData(1, 5971, false)]    // above what a minute can ever hold
    [InlineData(30, 10, false)]     // 30 requests a minute hold 29.85
    [InlineData(29, 10, true)]
    public void Says_at_once_what_can_never_fit(int requests, long tokens, bool fits)
    {
        var bucket = Bucket(rpm: 30, levelRpm: 0, tpm: 6000, levelTpm: 0);

        Assert.Equal(fits, BucketRule.CanEverFit(bucket, new Need(requests, tokens)));
        Assert.Equal(fits, BucketRule.OpensAt(bucket, new Need(requests, tokens), Noon).At < DateTime.MaxValue);
    }

    [Fact]
    public void One_request_a_minute_is_one_request_a_minute()
    {
        var bucket = Bucket(rpm: 1, levelRpm: 0, tpm: 6000, levelTpm: 6000);

        Assert.True(BucketRule.CanEverFit(bucket, new Need(1, 10)));
        Assert.InRange(BucketRule.OpensAt(bucket, new Need(1, 10), Noon).At, Noon.AddSeconds(59), Noon.AddSeconds(61));
    }

    [Fact]
    public void Settling_gives_back_what_was_not_used_and_counts_both()
    {
        var bucket = Bucket(rpm: 30, levelRpm: 29, rpd: 1000, levelRpd: 999, tpm: 6000, levelTpm: 5000, tpd: 100_000, levelTpd: 99_000);
        BucketRule.Reserve(bucket, new Need(1, 800));
        Assert.Equal((28, 998, 4200, 98_200), (bucket.LevelRequestsMinute, bucket.LevelRequestsDay, bucket.LevelTokensMinute, bucket.LevelTokensDay));

        BucketRule.Settle(bucket, new Need(1, 800), new Need(1, 300), providerCountsMinuteTokens: false);

        Assert.Equal((28, 998, 4700, 98_700), (bucket.LevelRequestsMinute, bucket.LevelRequestsDay, bucket.LevelTokensMinute, bucket.LevelTokensDay));
        Assert.Equal((1, 1, 0), (bucket.ReservedRequests, bucket.SettledRequests, bucket.ReleasedRequests));
        Assert.Equal((800, 300, 500), (bucket.ReservedTokens, bucket.SettledTokens, bucket.ReleasedTokens));
    }

    [Fact]
    public void A_refused_call_gives_back_everything()
    {
        var bucket = Bucket(rpm: 30, levelRpm: 20, tpm: 6000, levelTpm: 5000);
        BucketRule.Reserve(bucket, new Need(1, 800));
        BucketRule.Settle(bucket, new Need(1, 800), new Need(0, 0), providerCountsMinuteTokens: false);

        Assert.Equal((20, 5000), (bucket.LevelRequestsMinute, bucket.LevelTokensMinute));
        Assert.Equal((0, 1, 0, 800), (bucket.SettledRequests, bucket.ReleasedRequests, bucket.SettledTokens, bucket.ReleasedTokens));
    }

    [Fact]
    public void More_used_than_reserved_is_taken_from_the_levels_and_the_ledger_still_adds_up()
    {
        var bucket = Bucket(tpm: 6000, levelTpm: 5000, tpd: 100_000, levelTpd: 50_000);
        BucketRule.Reserve(bucket, new Need(1, 800));
        BucketRule.Settle(bucket, new Need(1, 800), new Need(1, 1000), providerCountsMinuteTokens: true);

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
        BucketRule.Reserve(bucket, new Need(1, 800));
        BucketRule.Settle(bucket, new Need(1, 800), new Need(1, 300), providerCountsMinuteTokens: true, charged);

        Assert.Equal(level, bucket.LevelTokensMinute);
    }

    [Fact]
    public void Where_the_provider_counts_the_minute_itself_nothing_is_given_back_to_it()
    {
        var bucket = Bucket(tpm: 6000, levelTpm: 5000, tpd: 100_000, levelTpd: 50_000);
        BucketRule.Reserve(bucket, new Need(1, 800));
        BucketRule.Settle(bucket, new Need(1, 800), new Need(1, 300), providerCountsMinuteTokens: true);

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
    public void The_counts_of_a_burst_in_any_order_never_give_back_what_the_burst_took() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(300), Prop.ForAll(
            (from calls in Gen.Choose(2, 12) from order in Gen.Shuffle(Enumerable.Range(0, calls).ToArray()) select order).ToArbitrary(),
            order =>
            {
                var bucket = Bucket(tpm: 60_000, levelTpm: 59_700);
                foreach (var _ in order)
                    BucketRule.Reserve(bucket, new Need(1, 4000));
                var settled = 0;
                foreach (var call in order)
                {
                    // Each was counted as it arrived, and answers in another order; all that is known at once is whether one has been settled before it.
                    BucketRule.Settle(bucket, new Need(1, 4000), new Need(1, 3000), providerCountsMinuteTokens: true);
                    ProviderCountRule.Correct(bucket, new ProviderCount { RemainingTokensMinute = 60_000 - (4000 * (call + 1)) }, isLatest: settled++ == 0);
                }

                return bucket.LevelTokensMinute <= 60_000 - (4000 * order.Length);
            }));

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

        BucketRule.Close(bucket, Noon.AddSeconds(9), "nine", LimitWindow.TokensPerMinute, new Need(1, 100), Noon);
        BucketRule.Close(bucket, Noon.AddSeconds(4), "four", LimitWindow.TokensPerMinute, new Need(1, 100), Noon);

        Assert.Equal((Noon.AddSeconds(9), "nine", 2), (bucket.ClosedUntil!.Value, bucket.ClosedReason, bucket.Throttled));
    }

    [Fact]
    public void After_a_refusal_one_call_fits_when_the_time_has_come_and_the_rest_drip()
    {
        var bucket = Bucket(tpm: 6000, levelTpm: 5970);

        BucketRule.Close(bucket, Noon.AddSeconds(5), "busy", LimitWindow.TokensPerMinute, new Need(1, 1000), Noon);
        BucketRule.Refill(bucket, Noon.AddSeconds(5));

        Assert.Equal(1000, bucket.LevelTokensMinute, 1e-6);
        BucketRule.Reserve(bucket, new Need(1, 1000));
        Assert.Equal(10, (BucketRule.OpensAt(bucket, new Need(1, 1000), Noon.AddSeconds(5)).At - Noon.AddSeconds(5)).TotalSeconds, 0.001);
    }

    [Fact]
    public void A_refusal_of_one_window_leaves_the_others_as_they_were()
    {
        var bucket = Bucket(rpm: 30, levelRpm: 20, rpd: 1000, levelRpd: 900, tpm: 6000, levelTpm: 5000, tpd: 100_000, levelTpd: 90_000);

        BucketRule.Close(bucket, Noon.AddSeconds(60), "day", LimitWindow.TokensPerDay, new Need(1, 1000), Noon);

        Assert.Equal((20, 900, 5000), (bucket.LevelRequestsMinute, bucket.LevelRequestsDay, bucket.LevelTokensMinute));
        Assert.Equal(1000 - (100_000 * 60 / 86_400.0), bucket.LevelTokensDay, 1e-6);
    }

    [Fact]
    public void A_copy_is_the_whole_row()
    {
        var bucket = new BucketRow();
        foreach (var (property, i) in typeof(BucketRow).GetProperties().Select((p, i) => (p, i + 1)))
            property.SetValue(bucket, Convert.ChangeType(property.PropertyType == typeof(string) ? $"{i}" : property.PropertyType == typeof(DateTime) || property.PropertyType == typeof(DateTime?) ? Noon.AddDays(i) : i,
                Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType, CultureInfo.InvariantCulture));

        var copy = BucketRule.Copy(bucket);

        Assert.All(typeof(BucketRow).GetProperties(), property => Assert.Equal(property.GetValue(bucket), property.GetValue(copy)));
    }

    // ---- Properties ----

    [Fact]
    public void Never_more_is_admitted_than_the_limit_times_the_time_and_the_capacity() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(300), Prop.ForAll(
            (from limit in Gen.Choose(100, 1_000_000)
             from arrivals in Gen.ArrayOf(from pause in Gen.Choose(0, 5000) from share in Gen.Choose(1, 1200) select (Pause: pause, Share: share))
             select (limit, arrivals)).ToArbitrary(),
            drawn =>
            {
                var bucket = Bucket(tpm: drawn.limit, levelTpm: drawn.limit * 0.995);
                var (now, admitted) = (Noon, 0L);
                foreach (var (pause, share) in drawn.arrivals)
                {
                    now = now.AddMilliseconds(pause);
                    var need = new Need(1, Math.Max(1, drawn.limit * (long)share / 1000));
                    BucketRule.Refill(bucket, now);
                    if (BucketRule.OpensAt(bucket, need, now).At > now)
                        continue;
                    BucketRule.Reserve(bucket, need);
                    admitted += need.Tokens;
                }

                return admitted <= drawn.limit * 0.995 + (drawn.limit * ((now - Noon) / BucketRule.Minute)) + 1e-3;
            }));

    [Fact]
    public void The_opening_is_exact_there_is_room_then_and_none_a_millisecond_before() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(1000), Prop.ForAll(
            (from minute in Gen.Choose(60, 2_000_000)
             from day in Gen.Choose(1000, 50_000_000)
             from levelMinute in Gen.Choose(-1000, 990)
             from levelDay in Gen.Choose(-200, 1000)
             from share in Gen.Choose(1, 990)
             from later in Gen.Choose(0, 90_000)
             select (minute, day, levelMinute, levelDay, share, later)).ToArbitrary(),
            d =>
            {
                var bucket = Bucket(tpm: d.minute, levelTpm: d.minute * (d.levelMinute / 1000.0), tpd: d.day, levelTpd: d.day * (d.levelDay / 1000.0));
                var need = new Need(1, Math.Min(Math.Max(1, d.minute * (long)d.share / 1000), d.day));
                if (!BucketRule.CanEverFit(bucket, need))
                    return true;
                var now = Noon.AddMilliseconds(d.later);
                var opening = BucketRule.OpensAt(bucket, need, now);
                var (then, before) = (BucketRule.Copy(bucket), BucketRule.Copy(bucket));
                BucketRule.Refill(then, opening.At);
                BucketRule.Refill(before, opening.At.AddMilliseconds(-1));
                var room = then.LevelTokensMinute >= need.Tokens && then.LevelTokensDay >= need.Tokens && BucketRule.OpensAt(then, need, opening.At).At <= opening.At;
                // A millisecond of the slowest rate here is 1e-5 tokens, far above what doubles lose.
                var noneBefore = opening.At == now || before.LevelTokensMinute < need.Tokens || before.LevelTokensDay < need.Tokens;
                return room && noneBefore && opening.At >= now;
            }));

    [Fact]
    public void Reserving_and_settling_in_any_order_leaves_a_ledger_that_adds_up() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(300), Prop.ForAll(
            Gen.ArrayOf(from reserved in Gen.Choose(1, 5000) from used in Gen.Choose(0, 6000) from refused in Gen.Elements(true, false) select (reserved, used, refused)).ToArbitrary(),
            calls =>
            {
                var bucket = Bucket(tpm: 100_000, levelTpm: 99_500);
                foreach (var call in calls)
                    BucketRule.Reserve(bucket, new Need(1, call.reserved));
                foreach (var call in calls.Reverse())
                    BucketRule.Settle(bucket, new Need(1, call.reserved), call.refused ? new Need(0, 0) : new Need(1, call.used), providerCountsMinuteTokens: false);
                return bucket.ReservedRequests == bucket.SettledRequests + bucket.ReleasedRequests && bucket.ReservedTokens == bucket.SettledTokens + bucket.ReleasedTokens
                    && bucket.LevelTokensMinute <= 99_500;
            }));

    private static double OpensAfter(BucketRow bucket, Need need) => (BucketRule.OpensAt(bucket, need, Noon).At - Noon).TotalSeconds;

    private static BucketRow Bucket(double? rpm = null, double levelRpm = 0, double? rpd = null, double levelRpd = 0, double? tpm = null, double levelTpm = 0, double? tpd = null, double levelTpd = 0) => new()
    {
        AsOf = Noon,
        RequestsPerMinute = rpm, RequestsPerDay = rpd, TokensPerMinute = tpm, TokensPerDay = tpd,
        // The limit has been proven: what is unknown of a new bucket is RequestProofTests' affair.
        ProvenRequests = rpm ?? 0,
        LevelRequestsMinute = levelRpm, LevelRequestsDay = levelRpd, LevelTokensMinute = levelTpm, LevelTokensDay = levelTpd,
    };
}
