using FsCheck;
using FsCheck.Fluent;
using LlmQueue.Limits;
using LlmQueue.Worker;
using LlmQueue.Worker.Outcomes;
using LlmQueue.Worker.Recovery;

namespace LlmQueue.Tests.Recovery;

public sealed class RecoveryRuleTests
{
    private static readonly WorkerOptions Options = new() { MaxFaults = 3, FirstBackOff = TimeSpan.FromSeconds(1) };

    private static readonly IReadOnlyList<(CallOutcome Outcome, Type Decision)> Table =
    [
        (new CallOutcome.Answered("yes", 1, 1, null, CutShort: false), typeof(RecoveryDecision.Complete)),
        (new CallOutcome.Throttled(LimitWindow.TokensPerMinute, TimeSpan.FromSeconds(2), "busy"), typeof(RecoveryDecision.SeekAgain)),
        (new CallOutcome.OutOfCredit("pay"), typeof(RecoveryDecision.SeekAgain)),
        (new CallOutcome.KeyRefused("401"), typeof(RecoveryDecision.SeekAgain)),
        (new CallOutcome.ModelGone("gone"), typeof(RecoveryDecision.LeaveModel)),
        (new CallOutcome.TooLarge("large"), typeof(RecoveryDecision.LeaveModel)),
        (new CallOutcome.ContextExceeded("long"), typeof(RecoveryDecision.LeaveModel)),
        (new CallOutcome.ContentRefused("no"), typeof(RecoveryDecision.LeaveModel)),
        (new CallOutcome.BadRequest("400"), typeof(RecoveryDecision.GiveUp)),
        (new CallOutcome.Malformed("half"), typeof(RecoveryDecision.TryAgain)),
        (new CallOutcome.TimedOut(TimeSpan.FromSeconds(1)), typeof(RecoveryDecision.TryAgain)),
        (new CallOutcome.Unreachable("reset"), typeof(RecoveryDecision.TryAgain)),
        (new CallOutcome.Abandoned("gone"), typeof(RecoveryDecision.TryAgain)),
        (new CallOutcome.OutputSpent("thoughts", 10, 50), typeof(RecoveryDecision.AllowMore)),
        (new CallOutcome.HeldBack("open"), typeof(RecoveryDecision.SeekAgain)),
        (new CallOutcome.Unsupported("temperature"), typeof(RecoveryDecision.LeaveModel)),
    ];

    [Fact]
    public void Every_outcome_has_its_one_decision()
    {
        var outcomes = typeof(CallOutcome).GetNestedTypes().Where(t => t.IsSubclassOf(typeof(CallOutcome))).Select(t => t.Name).Order();
        Assert.Equal(outcomes, Table.Select(row => row.Outcome.GetType().Name).Order());

        Assert.All(Table, row => Assert.Equal(row.Decision, Decide(row.Outcome, faults: 0).GetType()));
    }

    [Fact]
    public void Every_outcome_has_a_word_of_its_own() =>
        Assert.Equal(Table.Count, Table.Select(row => row.Outcome.Word).Distinct().Count());

    [Fact]
    public void Only_a_tasks_own_faults_are_counted_against_it_and_the_last_one_ends_it()
    {
        foreach (var (outcome, decision) in Table)
            Assert.Equal(
                decision == typeof(RecoveryDecision.TryAgain) && !outcome.IsProvidersFault ? typeof(RecoveryDecision.GiveUp) : decision,
                Decide(outcome, faults: 2).GetType());
        Assert.Equal("3 calls met a fault, the last: m gave no usable answer: half",
            Assert.IsType<RecoveryDecision.GiveUp>(Decide(new CallOutcome.Malformed("half"), 2)).Reason);
    }

    [Theory]
    [InlineData(2, 2, false, true, false)]   // outages alone: on it goes
    [InlineData(90, 90, false, true, false)]
    [InlineData(90, 90, false, false, true)] // until its time is over
    [InlineData(2, 0, true, true, true)]     // others were answered meanwhile: this task is what the provider stumbles over
    [InlineData(2, 1, true, true, false)]
    [InlineData(0, 0, true, true, false)]
    public void An_outage_ends_no_task_that_has_time(int faults, int outages, bool othersWereAnswered, bool hasTime, bool ends)
    {
        foreach (var (outcome, _) in Table.Where(row => row.Outcome.IsProvidersFault))
        {
            var decision = RecoveryRule.Decide(outcome,
                Trial(faults) with { Outages = outages, OthersWereAnswered = othersWereAnswered, HasTime = hasTime }, Options, 0.5);
            Assert.Equal(ends, decision is RecoveryDecision.GiveUp);
            Assert.Equal(!othersWereAnswered, (decision as RecoveryDecision.TryAgain)?.IsOutage ?? !othersWereAnswered);
        }
    }

    [Theory]
    [InlineData(50, 1024)]
    [InlineData(1024, 4096)]
    [InlineData(4096, 8192)]
    [InlineData(8192, null)]
    public void What_reasoning_has_eaten_is_allowed_again_up_to_what_the_model_gives(int allowed, int? more)
    {
        var decision = RecoveryRule.Decide(new CallOutcome.OutputSpent("thoughts", 10, allowed),
            Trial(0) with { MaxOutputTokens = allowed }, Options, 0.5);

        Assert.Equal(more, (decision as RecoveryDecision.AllowMore)?.MaxOutputTokens);
        Assert.Equal(more is null, decision is RecoveryDecision.LeaveModel);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 2)]
    [InlineData(4, 16)]
    [InlineData(5, 32)]
    [InlineData(6, 60)]
    [InlineData(60, 60)]
    public void The_pause_doubles_up_to_a_minute(int faults, int seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), Pause(faults, chance: 0));

    [Fact]
    public void Jitter_is_only_ever_added() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(500),
            Prop.ForAll(Gen.Choose(0, 90).ToArbitrary(), Gen.Choose(0, 999_999).ToArbitrary(), (faults, chance) =>
        {
            var (least, drawn) = (Pause(faults, 0), Pause(faults, chance / 1e6));
            return drawn >= least && drawn <= least * 1.5;
        }));

    private static RecoveryDecision Decide(CallOutcome outcome, int faults) =>
        RecoveryRule.Decide(outcome, Trial(faults), Options, jitter: 0.5);

    private static Trial Trial(int faults) =>
        new("m", faults, Outages: 0, OthersWereAnswered: false, HasTime: true, MaxOutputTokens: 50, MostOutputTokens: 8192);

    private static TimeSpan Pause(int faults, double chance) =>
        Assert.IsType<RecoveryDecision.TryAgain>(
            RecoveryRule.Decide(new CallOutcome.Unreachable("reset"), Trial(faults), Options with { MaxFaults = 100 }, chance)).Pause;
}
