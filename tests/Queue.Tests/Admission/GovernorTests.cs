using LlmQueue.Catalogue;
using LlmQueue.Limits;
using LlmQueue.Tests.Chaos;
using LlmQueue.Worker.Admission;

namespace LlmQueue.Tests.Admission;

/// <summary>What a budget that runs out changes about where tasks go, and when it is spoken of.</summary>
public sealed class GovernorTests
{
    private static readonly Candidate Strong = Way("groq:strong", 0.010m), Middle = Way("groq:middle", 0.004m),
        Cheap = Way("groq:cheap", 0.001m), Unpriced = Way("groq:unpriced", null);

    [Theory]
    [InlineData(0.00, "groq:strong groq:cheap groq:middle")]
    [InlineData(0.89, "groq:strong groq:cheap groq:middle")]
    [InlineData(0.90, "groq:cheap groq:middle groq:strong")]
    [InlineData(0.949, "groq:cheap groq:middle groq:strong")]
    [InlineData(0.95, "groq:cheap")]
    [InlineData(1.20, "groq:cheap")]
    public void The_nearer_the_limit_the_cheaper_the_way(double used, string order)
    {
        var governed = BudgetDowngradeRule.Decide([Strong, Cheap, Middle], used, "installation/2026-11-21", bound: false);
        Assert.Equal(order, string.Join(' ', governed.Candidates.Select(c => c.Model.Id)));
        Assert.Equal(used >= 0.90, governed.Why is not null);
    }

    [Fact]
    public void High_stakes_and_a_model_of_ones_own_are_never_changed()
    {
        var governed = BudgetDowngradeRule.Decide([Strong, Cheap], 0.99, "installation/2026-11-21", bound: true);
        Assert.Equal([Strong, Cheap], governed.Candidates);
        Assert.Null(governed.Why);
    }

    [Fact]
    public void A_model_of_unknown_price_is_never_taken_for_the_cheapest()
    {
        var governed = BudgetDowngradeRule.Decide([Unpriced, Strong], 0.96, "tenant:alice/2026-11", bound: false);
        Assert.Equal([Strong], governed.Candidates);
        Assert.Contains("tenant:alice/2026-11", governed.Why, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.10, 0.79, null)]
    [InlineData(0.79, 0.80, 80)]
    [InlineData(0.10, 0.93, 90)]
    [InlineData(0.94, 0.95, 95)]
    [InlineData(0.96, 0.99, null)]
    [InlineData(0.95, 0.10, null)]
    public void A_threshold_is_crossed_upward_only(double before, double after, int? percent) =>
        Assert.Equal(percent, ThresholdRule.Crossed(before, after));

    [Theory]
    [InlineData("installation", "day", true)]
    [InlineData("tenant:alice", "month", true)]
    [InlineData("class:reports", "day", true)]
    [InlineData("tenant:", "day", false)]
    [InlineData("everyone", "day", false)]
    [InlineData("tenant:a/b", "day", false)]
    [InlineData("installation", "year", false)]
    public void A_budget_has_a_known_scope_and_period(string scope, string period, bool right) =>
        Assert.Equal(right, BudgetPeriods.WhatIsWrong(scope, period) is null);

    [Fact]
    public void A_month_ends_where_the_next_begins()
    {
        var now = new DateTime(2026, 12, 31, 23, 59, 59, DateTimeKind.Utc);
        var row = BudgetPeriods.NewRow("tenant:alice", BudgetPeriods.Month, 10, now);
        Assert.Equal("tenant:alice/2026-12", row.Id);
        Assert.Equal(new DateTime(2027, 1, 1, 0, 0, 0, DateTimeKind.Utc), row.PeriodEnd);
        Assert.Equal(BudgetPeriods.NewRow("tenant:alice", BudgetPeriods.Month, 10, now.AddSeconds(1)).PeriodStart, row.PeriodEnd);
    }

    private static Candidate Way(string id, decimal? price)
    {
        var model = new ModelEntry { Id = ModelId.Parse(id), Context = 100_000, MaxOutput = 8_000 };
        return new Candidate(id, model, new TokenBucket { Id = id }, new ResourceDemand(1, 100), price);
    }
}
