using LlmQueue.Limits;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;

namespace LlmQueue.Tests.Limits;

/// <summary>Units of work of one commit that share a reservation: who leads, who joins, and what each pays.</summary>
public sealed class SharedReservationTests
{
    private const string BucketId = "groq/org-1/small", OtherBucketId = "groq/org-2/small", BudgetId = "installation/day";
    private const int LeadTokens = 100, MemberTokens = 10;

    [Fact]
    public void The_first_leads_with_the_request_and_the_others_join_with_what_they_add()
    {
        var (ledger, group) = (Ledger(Bucket(requests: 1, tokens: 1000)), Group(4));

        Assert.Empty(ledger.Apply(group));

        var bucket = ledger.Buckets.Single();
        Assert.Equal((1, LeadTokens + (3 * MemberTokens)), (bucket.ReservedRequests, bucket.ReservedTokens));
        Assert.Equal(1m + (3 * 0.1m), ledger.Budgets.Single().ReservedUsd);
        AssertLeads(group[0], size: 4);
        Assert.All(group[1..], member => AssertJoined(member, group[0]));
    }

    [Fact]
    public void One_that_shares_with_nobody_has_a_call_of_its_own()
    {
        var (ledger, group) = (Ledger(Bucket(requests: 1, tokens: 1000)), Group(1));

        Assert.Empty(ledger.Apply(group));

        AssertLeads(group[0], size: 1);
    }

    [Fact]
    public void A_full_reservation_takes_nobody_more_and_the_next_leads_another()
    {
        var (ledger, group) = (Ledger(Bucket(requests: 10, tokens: 10_000)), Group(7, maxSize: 3));

        Assert.Empty(ledger.Apply(group));

        Assert.Equal([0, 3, 6], Enumerable.Range(0, 7).Where(i => group[i].Task!.Reservation.Lead is null));
        Assert.All([1, 2], i => AssertJoined(group[i], group[0]));
        Assert.All([4, 5], i => AssertJoined(group[i], group[3]));
        Assert.Equal(3, ledger.Buckets.Single().ReservedRequests);
    }

    [Fact]
    public void Where_no_further_lead_finds_room_the_others_are_decided_again()
    {
        var (ledger, group) = (Ledger(Bucket(requests: 1, tokens: 10_000)), Group(5, maxSize: 3));

        Assert.True(ledger.Apply(group).SetEquals(group[3..]));

        Assert.Equal((1, LeadTokens + (2 * MemberTokens)),
            (ledger.Buckets.Single().ReservedRequests, ledger.Buckets.Single().ReservedTokens));
    }

    [Fact]
    public void One_that_has_no_room_to_lead_leaves_it_to_the_next()
    {
        var (ledger, group) = (Ledger(Bucket(requests: 5, tokens: 150)), Group(3));
        // A larger one than the bucket can take now.
        group[0].Shared = group[0].Shared! with { AsLead = new ReservationCost(new ResourceDemand(1, 500), 5m) };

        Assert.True(ledger.Apply(group).SetEquals([group[0]]));

        AssertLeads(group[1], size: 2);
        AssertJoined(group[2], group[1]);
        Assert.Equal((1, LeadTokens + MemberTokens), (ledger.Buckets.Single().ReservedRequests, ledger.Buckets.Single().ReservedTokens));
    }

    [Fact]
    public void One_that_has_no_room_to_join_changes_nothing_for_the_others()
    {
        var (ledger, group) = (Ledger(Bucket(requests: 5, tokens: LeadTokens + (2 * MemberTokens))), Group(4));

        Assert.True(ledger.Apply(group).SetEquals(group[3..]));

        Assert.Equal((1, LeadTokens + (2 * MemberTokens)),
            (ledger.Buckets.Single().ReservedRequests, ledger.Buckets.Single().ReservedTokens));
        Assert.Equal(1.2m, ledger.Budgets.Single().ReservedUsd);
    }

    [Fact]
    public void Members_pay_out_of_the_budget_as_well()
    {
        var (ledger, group) = (Ledger([Bucket(requests: 5, tokens: 1000)], limitUsd: 1.15m), Group(3));

        Assert.True(ledger.Apply(group).SetEquals(group[2..]));

        Assert.Equal(1.1m, ledger.Budgets.Single().ReservedUsd);
    }

    [Fact]
    public void Other_groups_and_other_buckets_are_not_joined()
    {
        var other = Bucket(requests: 5, tokens: 1000);
        other.Id = OtherBucketId;
        var ledger = Ledger([Bucket(requests: 5, tokens: 1000), other]);
        List<UnitOfWork> group = [Unit(), Unit(group: "another"), Unit(bucket: OtherBucketId), Unit(), Unit(group: "another")];

        Assert.Empty(ledger.Apply(group));

        Assert.All(group[..3], lead => Assert.Null(lead.Task!.Reservation.Lead));
        AssertJoined(group[3], group[0]);
        AssertJoined(group[4], group[1]);
    }

    [Fact]
    public void A_reservation_of_its_own_is_not_joined()
    {
        var (ledger, alone) = (Ledger(Bucket(requests: 5, tokens: 1000)), Unit());
        alone.Shared = null;
        var group = new List<UnitOfWork> { alone, Unit() };

        Assert.Empty(ledger.Apply(group));

        AssertLeads(group[1], size: 1);
        Assert.Null(alone.Opened[0].Pack);
    }

    [Fact]
    public void A_commit_that_is_tried_again_decides_anew()
    {
        var group = Group(4);
        Ledger(Bucket(requests: 1, tokens: 1000)).Apply(group);

        // The lead's row had moved on: the others are tried again without it.
        var rest = group[1..];
        var ledger = Ledger(Bucket(requests: 1, tokens: 1000));
        Assert.Empty(ledger.Apply(rest));

        AssertLeads(rest[0], size: 3);
        Assert.All(rest[1..], member => AssertJoined(member, rest[0]));
        Assert.Equal((1, LeadTokens + (2 * MemberTokens)),
            (ledger.Buckets.Single().ReservedRequests, ledger.Buckets.Single().ReservedTokens));

        // All others had: the last one has a call of its own, and nothing says that it ever shared one.
        var last = Ledger(Bucket(requests: 1, tokens: 1000));
        Assert.Empty(last.Apply(group[3..]));
        AssertLeads(group[3], size: 1);
    }

    private static void AssertLeads(UnitOfWork unit, int size)
    {
        var (task, attempt) = (unit.Task!, unit.Opened[0]);
        Assert.Null(task.Reservation.Lead);
        Assert.Equal(size > 1 ? task.CorrelationId : null, attempt.Pack);
        AssertCosts(unit, new ResourceDemand(1, LeadTokens), 1m);
    }

    private static void AssertJoined(UnitOfWork unit, UnitOfWork lead)
    {
        Assert.Equal((lead.Task!.CorrelationId, lead.Task!.CorrelationId, lead.Opened[0].KeyAlias),
            (unit.Task!.Reservation.Lead, unit.Opened[0].Pack, unit.Opened[0].KeyAlias));
        AssertCosts(unit, new ResourceDemand(0, MemberTokens), 0.1m);
    }

    private static void AssertCosts(UnitOfWork unit, ResourceDemand need, decimal usd)
    {
        Assert.Equal((need, usd), (unit.Reservation!.Demand, unit.Reservation.Usd));
        Assert.Equal((need.Tokens, usd), (unit.Task!.Reservation.Tokens, unit.Task.Reservation.Usd));
        Assert.Equal((need.Tokens, usd), (unit.Opened[0].ReservedTokens, unit.Opened[0].ReservedUsd));
    }

    private static List<UnitOfWork> Group(int count, int maxSize = 16) =>
        [.. Enumerable.Range(0, count).Select(_ => Unit(maxSize: maxSize))];

    private static UnitOfWork Unit(string group = "small", string bucket = BucketId, int maxSize = 16)
    {
        var task = new TaskRow { CorrelationId = Guid.CreateVersion7(), Attempt = 1 };
        var unit = new UnitOfWork(TestBuckets.Noon)
        {
            Task = task, Shared = new SharedReservation(group, maxSize, new ReservationCost(new ResourceDemand(1, LeadTokens), 1m),
                new ReservationCost(new ResourceDemand(0, MemberTokens), 0.1m)),
        };
        unit.Opened.Add(new AttemptRow { TaskId = task.CorrelationId, Number = 1, KeyAlias = $"key of {task.CorrelationId}" });
        unit.Reserve(new Reservation(bucket, new ResourceDemand(0, MemberTokens), 0.1m, [BudgetId]), () => { });
        return unit;
    }

    private static TokenBucket Bucket(double requests, double tokens)
    {
        var bucket = TestBuckets.Bucket(rpm: 100, levelRpm: requests, tpm: 100_000, levelTpm: tokens);
        bucket.Id = BucketId;
        return bucket;
    }

    private static LimitLedger Ledger(TokenBucket bucket) => Ledger([bucket]);

    private static LimitLedger Ledger(TokenBucket[] buckets, decimal? limitUsd = null)
    {
        var ledger = new LimitLedger(tables: null!, new Thresholds());
        ledger.Take(buckets, [new Budget { Id = BudgetId, LimitUsd = limitUsd }], [], virtualTime: 0, activeTenants: 0);
        return ledger;
    }
}
