using LlmQueue.Catalogue;
using LlmQueue.Limits;
using LlmQueue.Tests.Chaos;
using LlmQueue.Worker.Admission;

namespace LlmQueue.Tests.Admission;

public sealed class AdmissionRuleTests
{
    private static readonly DateTime Noon = new(2026, 11, 21, 12, 0, 0, DateTimeKind.Utc);

    [Fact]
    public void The_first_choice_with_room_is_taken_and_no_reason_is_needed()
    {
        var open = Assert.IsType<AdmissionDecision.Open>(Decide(Way("first"), Way("second")));

        Assert.Equal(["first", "second"], open.InOrder.Select(c => c.Model.Id.Name));
        Assert.Null(open.WhyNotFirst);
    }

    [Fact]
    public void A_fallback_with_room_is_taken_at_once_and_says_why_not_the_first()
    {
        var open = Assert.IsType<AdmissionDecision.Open>(Decide(Way("first", level: 0), Way("second")));

        Assert.Equal("second", open.InOrder[0].Model.Id.Name);
        Assert.Equal("groq:first of org has no room: tokens a minute are used up until 12:00:05.000 UTC", open.WhyNotFirst);
    }

    [Fact]
    public void With_no_room_anywhere_it_stands_in_the_line_of_all_and_expects_the_soonest()
    {
        var line = Assert.IsType<AdmissionDecision.NoRoom>(Decide(Way("first", level: 0), Way("second", level: 400)));

        Assert.Equal(["first", "second"], line.Buckets);
        Assert.Equal(Noon.AddSeconds(1), line.ExpectedAt!.Value, TimeSpan.FromMilliseconds(1));
        Assert.StartsWith("groq:second of org has no room", line.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_closed_bucket_says_until_when_and_in_the_providers_words()
    {
        var closed = Way("first", change: b => (b.ClosedUntil, b.ClosedReason) = (Noon.AddSeconds(2.5), "Rate limit reached"));

        var line = Assert.IsType<AdmissionDecision.NoRoom>(Decide(closed));

        Assert.Equal("groq:first of org is closed until 12:00:02.500 UTC: Rate limit reached", line.Reason);
        Assert.Equal(Noon.AddSeconds(2.5), line.ExpectedAt);
    }

    [Fact]
    public void Newcomers_stand_behind_those_who_wait()
    {
        var line = Assert.IsType<AdmissionDecision.NoRoom>(Decide(Way("first", change: b => b.Waiting = 1)));

        Assert.Equal("groq:first of org serves tasks that came before", line.Reason);
    }

    [Fact]
    public void Who_fits_only_a_model_that_is_gone_is_told_so_and_waits_in_no_line()
    {
        var gone = Way("first", change: b => b.DisabledReason = DisabledReason.ModelGone("decommissioned"));
        var small = Way("second", change: b => b.TokensPerMinute = 1);

        var impossible = Assert.IsType<AdmissionDecision.Impossible>(Decide(gone, small));

        Assert.Contains("groq:second", impossible.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void What_can_never_fit_is_impossible_with_the_largest_limit_and_advice()
    {
        var impossible = Assert.IsType<AdmissionDecision.Impossible>(Decide(Way("first", limit: 400), Way("second", limit: 300)));

        Assert.Contains("The task needs 500 tokens", impossible.Reason, StringComparison.Ordinal);
        Assert.Contains("400 (groq:first of org)", impossible.Reason, StringComparison.Ordinal);
        Assert.Contains("Shorten the prompt", impossible.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_bucket_too_small_is_left_out_of_the_line()
    {
        var line = Assert.IsType<AdmissionDecision.NoRoom>(Decide(Way("small", limit: 300, level: 0), Way("large", level: 0)));

        Assert.Equal(["large"], line.Buckets);
    }

    [Fact]
    public void When_every_model_is_gone_it_is_impossible()
    {
        var gone = Way("first", change: b => b.DisabledReason = DisabledReason.ModelGone("decommissioned"));

        Assert.Contains("Every model that may answer is gone", Assert.IsType<AdmissionDecision.Impossible>(Decide(gone)).Reason,
            StringComparison.Ordinal);
        Assert.IsType<AdmissionDecision.Open>(Decide(gone, Way("second")));
    }

    [Fact]
    public void Without_a_valid_key_it_waits_and_says_so_because_a_person_can_mend_it()
    {
        var line = Assert.IsType<AdmissionDecision.NoRoom>(
            Decide(Way("first", change: b => b.DisabledReason = DisabledReason.NoKeyAccepted("groq-1 was refused (401)"))));

        Assert.Contains("groq-1 was refused", line.Reason, StringComparison.Ordinal);
        Assert.Null(line.ExpectedAt);
    }

    [Fact]
    public void A_pool_takes_the_emptiest_and_calls_nothing_a_downgrade()
    {
        var ordered = OrderRule.Decide([Way("first", level: 600), Way("second", level: 5000), Way("third", level: 2000)], spread: true,
            bound: false, usedShare: 0, "", Noon);
        var open = Assert.IsType<AdmissionDecision.Open>(AdmissionRule.Decide(ordered.Candidates, ordered.IsSpread, Noon));

        Assert.Equal(["second", "third", "first"], open.InOrder.Select(c => c.Model.Id.Name));
        Assert.Null(open.WhyNotFirst);
    }

    [Fact]
    public void A_chain_that_has_run_out_is_impossible() => Assert.IsType<AdmissionDecision.Impossible>(Decide());

    private static AdmissionDecision Decide(params Candidate[] ways) => AdmissionRule.Decide(ways, spread: false, Noon);

    // 500 tokens are needed; 6,000 a minute are 100 a second.
    private static Candidate Way(string name, double limit = 6000, double? level = null, Action<TokenBucket>? change = null)
    {
        var bucket = new TokenBucket
        {
            Id = name, Organisation = "org", TokensPerMinute = limit, LevelTokensMinute = level ?? limit * 0.995, AsOf = Noon,
        };
        change?.Invoke(bucket);
        return new Candidate(name, new ModelEntry { Id = new ModelId("groq", name), Context = 10_000, MaxOutput = 1000 }, bucket,
            new ResourceDemand(1, 500), 0.001m);
    }
}
