using FsCheck;
using FsCheck.Fluent;
using LlmQueue.Store.Limits;
using LlmQueue.Worker;
using LlmQueue.Worker.Calling;
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
    ];

    [Fact]
    public void Every_outcome_has_its_one_decision()
    {
        var outcomes = typeof(CallOutcome).GetNestedTypes().Where(t => t.IsSubclassOf(typeof(CallOutcome))).Select(t => t.Name).Order();
        Assert.Equal(outcomes, Table.Select(row => row.Outcome.GetType().Name).Order());

        Assert.All(Table, row => Assert.Equal(row.Decision, Decide(row.Outcome, faults: 0).GetType()));
    }

    [Fact]
    public void Every_outcome_has_a_word_of_its_own() => Assert.Equal(Table.Count, Table.Select(row => row.Outcome.Word).Distinct().Count());

    [Fact]
    public void Only_faults_are_counted_against_a_task_and_the_last_one_ends_it()
    {
        foreach (var (outcome, decision) in Table)
            Assert.Equal(decision == typeof(RecoveryDecision.TryAgain) ? typeof(RecoveryDecision.GiveUp) : decision, Decide(outcome, faults: 2).GetType());
        Assert.Equal("3 calls met a fault, the last: m could not be reached: reset", Assert.IsType<RecoveryDecision.GiveUp>(Decide(new CallOutcome.Unreachable("reset"), 2)).Reason);
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
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(500), Prop.ForAll(Gen.Choose(0, 90).ToArbitrary(), Gen.Choose(0, 999_999).ToArbitrary(), (faults, chance) =>
        {
            var (least, drawn) = (Pause(faults, 0), Pause(faults, chance / 1e6));
            return drawn >= least && drawn <= least * 1.5;
        }));

    private static RecoveryDecision Decide(CallOutcome outcome, int faults) => RecoveryRule.Decide(outcome, "m", faults, Options, chance: 0.5);

    private static TimeSpan Pause(int faults, double chance) =>
        Assert.IsType<RecoveryDecision.TryAgain>(RecoveryRule.Decide(new CallOutcome.Unreachable("reset"), "m", faults, Options with { MaxFaults = 100 }, chance)).Pause;
}
