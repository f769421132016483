using FsCheck;
using FsCheck.Fluent;
using LlmQueue.Limits;
using static LlmQueue.Tests.Limits.TestBuckets;

namespace LlmQueue.Tests.Limits;

/// <summary>What holds for every bucket and every order of events.</summary>
public sealed class BucketPropertyTests
{
    [Fact]
    public void Never_more_is_admitted_than_the_limit_times_the_time_and_the_capacity() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(300), Prop.ForAll(
            (from limit in Gen.Choose(100, 1_000_000)
             from arrivals in Gen.ArrayOf(
                 from pause in Gen.Choose(0, 5000) from share in Gen.Choose(1, 1200) select (Pause: pause, Share: share))
             select (limit, arrivals)).ToArbitrary(),
            drawn =>
            {
                var bucket = Bucket(tpm: drawn.limit, levelTpm: drawn.limit * 0.995);
                var (now, admitted) = (Noon, 0L);
                foreach (var (pause, share) in drawn.arrivals)
                {
                    now = now.AddMilliseconds(pause);
                    var need = new ResourceDemand(1, Math.Max(1, drawn.limit * (long)share / 1000));
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
                var bucket = Bucket(tpm: d.minute, levelTpm: d.minute * (d.levelMinute / 1000.0), tpd: d.day,
                    levelTpd: d.day * (d.levelDay / 1000.0));
                var need = new ResourceDemand(1, Math.Min(Math.Max(1, d.minute * (long)d.share / 1000), d.day));
                if (!BucketRule.CanEverFit(bucket, need))
                    return true;
                var now = Noon.AddMilliseconds(d.later);
                var opening = BucketRule.OpensAt(bucket, need, now);
                var (then, before) = (bucket.Copy(), bucket.Copy());
                BucketRule.Refill(then, opening.At);
                BucketRule.Refill(before, opening.At.AddMilliseconds(-1));
                var room = then.LevelTokensMinute >= need.Tokens
                    && then.LevelTokensDay >= need.Tokens
                    && BucketRule.OpensAt(then, need, opening.At).At <= opening.At;
                // A millisecond of the slowest rate here is 1e-5 tokens, far above what doubles lose.
                var noneBefore = opening.At == now || before.LevelTokensMinute < need.Tokens || before.LevelTokensDay < need.Tokens;
                return room && noneBefore && opening.At >= now;
            }));

    [Fact]
    public void Reserving_and_settling_in_any_order_leaves_a_ledger_that_adds_up() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(300), Prop.ForAll(
            Gen.ArrayOf(
                from reserved in Gen.Choose(1, 5000)
                from used in Gen.Choose(0, 6000)
                from refused in Gen.Elements(true, false)
                select (reserved, used, refused))
                .ToArbitrary(),
            calls =>
            {
                var bucket = Bucket(tpm: 100_000, levelTpm: 99_500);
                foreach (var call in calls)
                    BucketRule.Reserve(bucket, new ResourceDemand(1, call.reserved));
                foreach (var call in calls.Reverse())
                    BucketRule.Settle(bucket, new ResourceDemand(1, call.reserved),
                        call.refused ? new ResourceDemand(0, 0) : new ResourceDemand(1, call.used), providerCountsMinuteTokens: false);
                return bucket.ReservedRequests == bucket.SettledRequests + bucket.ReleasedRequests
                    && bucket.ReservedTokens == bucket.SettledTokens + bucket.ReleasedTokens
                    && bucket.LevelTokensMinute <= 99_500;
            }));

    [Fact]
    public void The_counts_of_a_burst_in_any_order_never_give_back_what_the_burst_took() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(300), Prop.ForAll(
            (from calls in Gen.Choose(2, 12) from order in Gen.Shuffle(Enumerable.Range(0, calls).ToArray()) select order).ToArbitrary(),
            order =>
            {
                var bucket = Bucket(tpm: 60_000, levelTpm: 59_700);
                foreach (var _ in order)
                    BucketRule.Reserve(bucket, new ResourceDemand(1, 4000));
                var settled = 0;
                foreach (var call in order)
                {
                    // Each was counted as it arrived, and answers in another order; all that is known at once is whether one has
                    // been settled before it.
                    BucketRule.Settle(bucket, new ResourceDemand(1, 4000), new ResourceDemand(1, 3000), providerCountsMinuteTokens: true);
                    ProviderCountRule.Correct(bucket, new ProviderCount { RemainingTokensMinute = 60_000 - (4000 * (call + 1)) },
                        isLatest: settled++ == 0);
                }

                return bucket.LevelTokensMinute <= 60_000 - (4000 * order.Length);
            }));
}
