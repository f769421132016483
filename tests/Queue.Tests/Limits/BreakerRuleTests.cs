using FsCheck;
using FsCheck.Fluent;
using LlmQueue.Limits;

namespace LlmQueue.Tests.Limits;

/// <summary>A breaker in its row, as its bucket's levels see it.</summary>
public sealed class BreakerRuleTests
{
    private static readonly DateTime Noon = new(2026, 11, 21, 12, 0, 0, DateTimeKind.Utc);
    private static readonly ProviderSign Fault = new(false, "no connection");

    [Fact]
    public void Five_faults_in_a_row_open_it_and_an_answer_between_them_begins_the_count_anew()
    {
        var bucket = new TokenBucket { AsOf = Noon };
        Learn(bucket, Fault, times: 4);
        Learn(bucket, ProviderSign.Alive);
        Learn(bucket, Fault, times: 4);
        Assert.Equal(BreakerState.Closed, BreakerRule.StateOf(bucket, Noon));

        Learn(bucket, Fault);

        Assert.Equal((BreakerState.Open, "no connection"), (BreakerRule.StateOf(bucket, Noon), bucket.BrokenReason));
        Assert.Equal(Noon.AddSeconds(10), OpensAt(bucket, Noon));
    }

    [Fact]
    public void One_fault_is_enough_when_a_worker_has_counted_too_many_of_late()
    {
        var bucket = new TokenBucket { AsOf = Noon };
        Learn(bucket, Fault with { OpensBreaker = true });
        Assert.Equal(BreakerState.Open, BreakerRule.StateOf(bucket, Noon));
    }

    [Fact]
    public void When_its_time_has_come_exactly_one_call_is_let_through()
    {
        var bucket = Broken();
        var due = Noon.AddSeconds(10);
        Assert.Equal(due, OpensAt(bucket, due));

        BucketRule.Refill(bucket, due);
        BucketRule.Reserve(bucket, new ResourceDemand(1, 0));

        Assert.Equal(due.AddSeconds(30), OpensAt(bucket, due));
    }

    [Fact]
    public void A_probe_that_fails_puts_the_next_one_off_twice_as_far_up_to_a_minute()
    {
        var bucket = Broken();
        foreach (var seconds in new[] { 20, 40, 60, 60 })
        {
            var due = bucket.ProbeAt!.Value;
            BreakerRule.Learn(bucket, Fault, due, due.AddSeconds(1));
            Assert.Equal(due.AddSeconds(1 + seconds), bucket.ProbeAt);
        }
    }

    [Fact]
    public void A_probe_that_is_answered_brings_calls_back_in_doubling_rounds()
    {
        var bucket = Broken();
        var now = Noon.AddSeconds(10);
        BreakerRule.Learn(bucket, ProviderSign.Alive, now, now);
        Assert.Equal(BreakerState.Recovering, BreakerRule.StateOf(bucket, now));

        var rounds = new List<int>();
        while (BreakerRule.StateOf(bucket, now) == BreakerState.Recovering)
        {
            now = now.AddSeconds(1);
            BucketRule.Refill(bucket, now);
            var taken = 0;
            for (; taken < 1000 && OpensAt(bucket, now) <= now; taken++)
                BucketRule.Reserve(bucket, new ResourceDemand(1, 0));
            rounds.Add(taken);
            for (var i = 0; i < taken; i++)
                BreakerRule.Learn(bucket, ProviderSign.Alive, now, now.AddMilliseconds(500));
        }

        Assert.Equal([2, 4, 8, 16, 32], rounds);
    }

    [Fact]
    public void A_fault_on_the_way_back_opens_it_again_but_stragglers_from_before_say_nothing()
    {
        var bucket = Broken();
        var back = Noon.AddSeconds(12);
        BreakerRule.Learn(bucket, Fault, Noon.AddSeconds(-5), Noon.AddSeconds(5));
        Assert.Equal(0, bucket.FailedProbes);
        BreakerRule.Learn(bucket, ProviderSign.Alive, Noon.AddSeconds(-5), Noon.AddSeconds(5));
        Assert.Equal(BreakerState.Open, BreakerRule.StateOf(bucket, back));

        BreakerRule.Learn(bucket, ProviderSign.Alive, Noon.AddSeconds(10), back);
        BreakerRule.Learn(bucket, Fault, Noon.AddSeconds(-5), back);
        Assert.Equal(BreakerState.Recovering, BreakerRule.StateOf(bucket, back));
        BreakerRule.Learn(bucket, Fault, back, back.AddSeconds(1));
        Assert.Equal(BreakerState.Open, BreakerRule.StateOf(bucket, back.AddSeconds(1)));
    }

    [Fact]
    public void A_ramp_whose_calls_are_never_heard_of_ends_by_itself()
    {
        var bucket = Broken();
        var back = Noon.AddSeconds(10);
        BreakerRule.Learn(bucket, ProviderSign.Alive, back, back);
        BucketRule.Refill(bucket, back);
        BucketRule.Reserve(bucket, new ResourceDemand(1, 0));
        BucketRule.Reserve(bucket, new ResourceDemand(1, 0));

        Assert.True(OpensAt(bucket, back.AddSeconds(59)) > back.AddSeconds(59));
        Assert.Equal(back.AddSeconds(60), OpensAt(bucket, back.AddSeconds(60)));
    }

    [Fact]
    public void Whatever_comes_it_never_stays_shut_for_more_than_a_minute_and_what_is_let_through_while_open_is_one_call_a_probe() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(300), Prop.ForAll(Gen.Choose(0, 4).ListOf().ToArbitrary(), steps =>
        {
            var (bucket, now) = (new TokenBucket { AsOf = Noon }, Noon);
            foreach (var step in steps)
            {
                now = now.AddSeconds(step * 3);
                BucketRule.Refill(bucket, now);
                var wasOpen = BreakerRule.StateOf(bucket, now) == BreakerState.Open;
                if (OpensAt(bucket, now) <= now)
                {
                    BucketRule.Reserve(bucket, new ResourceDemand(1, 0));
                    if (wasOpen && OpensAt(bucket, now) <= now)
                        return false;
                }

                BreakerRule.Learn(bucket, step < 3 ? Fault : ProviderSign.Alive, now, now);
                if (OpensAt(bucket, now) > now.AddMinutes(1))
                    return false;
            }

            return true;
        }));

    private static DateTime OpensAt(TokenBucket bucket, DateTime now) => BucketRule.OpensAt(bucket, new ResourceDemand(1, 0), now).At;

    private static TokenBucket Broken()
    {
        var bucket = new TokenBucket { AsOf = Noon, SettledRequests = 100, ReservedRequests = 100 };
        Learn(bucket, Fault, times: BreakerRule.FaultsThatOpen);
        return bucket;
    }

    private static void Learn(TokenBucket bucket, ProviderSign sign, int times = 1)
    {
        for (var i = 0; i < times; i++)
            BreakerRule.Learn(bucket, sign, Noon, Noon);
    }
}
