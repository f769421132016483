using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Outcomes;
using LlmQueue.Worker.Recovery;

namespace LlmQueue.Tests.Recovery;

public sealed class FollowUpRuleTests
{
    private static readonly RecoveryDecision.TryAgain Fault = new("it hung", TimeSpan.FromSeconds(2), IsOutage: false);

    [Fact]
    public void An_answer_is_taken_and_nothing_else_changes()
    {
        var answer = new CallOutcome.Answered("yes", 1, 1, null, CutShort: false);
        var followUp = Decide(new RecoveryDecision.Complete(answer), Call("a:1", "a:1", "b:2"));

        Assert.Equal(new AfterCall.TakeAnswer(answer, "a:1"), followUp.Next);
        Assert.Equal((null, null, 0), (followUp.Reason, followUp.Chain, followUp.Faults));
    }

    [Fact]
    public void What_lies_with_the_bucket_counts_no_fault_and_leaves_the_chain()
    {
        var followUp = Decide(new RecoveryDecision.SeekAgain("busy"), Call("a:1", "a:1", "b:2"));

        Assert.IsType<AfterCall.PlanAgain>(followUp.Next);
        Assert.Equal(("busy", null, 0, false), (followUp.Reason, followUp.Chain, followUp.Faults, followUp.EndsPool));
    }

    [Fact]
    public void A_model_that_will_not_do_leaves_the_chain_and_its_replacement_comes_first()
    {
        var leave = new RecoveryDecision.LeaveModel("gone");

        Assert.Equal(["b:2"], Decide(leave, Call("a:1", "a:1", "b:2")).Chain);
        Assert.Equal(["c:3", "b:2"], Decide(leave, Call("a:1", "a:1", "b:2") with { Replacement = "c:3" }).Chain);
        Assert.Equal(["b:2"], Decide(leave, Call("a:1", "a:1", "b:2") with { Replacement = "b:2" }).Chain);
        Assert.Equal(new AfterCall.Fail("No model is left: gone"), Decide(leave, Call("a:1", "a:1")).Next);
    }

    [Fact]
    public void After_a_fault_the_others_are_tried_first_and_a_full_round_ends_in_a_pause()
    {
        var first = Decide(Fault, Call("a:1", "a:1", "b:2") with { Untried = ["b:2"] });
        Assert.IsType<AfterCall.PlanAgain>(first.Next);
        Assert.Equal(["b:2", "a:1"], first.Chain);
        Assert.Equal(("it hung (fault 1 of at most 4)", 1, 0, true), (first.Reason, first.Faults, first.Outages, first.EndsPool));

        var second = Decide(Fault, Call("b:2", "b:2", "a:1") with { Faults = 1 });
        Assert.Equal(new AfterCall.BackOff(TimeSpan.FromSeconds(2), "it hung"), second.Next);
        Assert.Equal(["a:1", "b:2"], second.Chain);
    }

    [Fact]
    public void After_an_outage_models_of_other_providers_come_before_its_own()
    {
        var followUp = Decide(Fault with { IsOutage = true }, Call("a:1", "a:1", "a:2", "b:3") with { Untried = ["a:2", "b:3"] });

        Assert.Equal(["b:3", "a:2", "a:1"], followUp.Chain);
        Assert.Equal(("it hung (an outage of its provider)", 1, 1), (followUp.Reason, followUp.Faults, followUp.Outages));
    }

    [Fact]
    public void A_longer_answer_is_asked_of_the_same_model() =>
        Assert.Equal((2048, null), Allowed(Decide(new RecoveryDecision.AllowMore("spent", 2048), Call("a:1", "a:1", "b:2"))));

    [Fact]
    public void The_end_says_what_was_lost_and_a_draft_that_stands_is_the_answer()
    {
        var end = new RecoveryDecision.GiveUp("wrong");
        var call = Call("a:1", "a:1");

        Assert.Equal((new AfterCall.Fail("wrong"), 1), (Decide(end, call).Next, Decide(end, call).Faults));
        Assert.Equal(new AfterCall.Fail("Its images could not be read: wrong"),
            Decide(end, call with { Pass = TaskPasses.Extraction }).Next);
        Assert.Equal(new AfterCall.Fail("Of its prompt, part 2 of 3 could not be read: wrong"),
            Decide(end, call with { Pass = TaskPasses.PartOf(2, 3) }).Next);
        Assert.Equal(
            new AfterCall.KeepAnswer(PayloadRow.Draft, "nobody gave the critique: wrong"),
            Decide(end, call with { Pass = TaskPasses.Critique, HasDraft = true }).Next);
    }

    private static (int?, IReadOnlyList<string>?) Allowed(FollowUp followUp) => (followUp.MaxOutputTokens, followUp.Chain);

    private static EndedCall Call(string model, params string[] chain) => new(model, chain, Untried: [], Faults: 0, Outages: 0);

    private static FollowUp Decide(RecoveryDecision decision, EndedCall call) => FollowUpRule.Decide(decision, call, maxFaults: 4);
}
