using FsCheck;
using FsCheck.Fluent;
using LlmQueue.Limits;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Outcomes;

namespace LlmQueue.Tests.Classification;

public sealed class BatchedAnswerRuleTests
{
    [Fact]
    public void Tokens_of_a_call_are_shared_to_the_last_one_and_the_count_belongs_to_the_first() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(1000), Prop.ForAll(
            (
                from sizes in Gen.NonEmptyListOf(Gen.Choose(0, 100_000))
                from input in Gen.Choose(0, 50_000)
                from output in Gen.Choose(0, 2000)
                select (sizes, input, output))
                .ToArbitrary(),
            given =>
            {
                var parts = BatchedAnswerRule.Split(new CallOutcome.Answered("{}", given.input, given.output, "v1", CutShort: false)
                {
                    Count = new ProviderCount { LimitTokensMinute = 7 },
                }, [.. given.sizes])
                    .Cast<CallOutcome.Answered>()
                    .ToList();
                return parts.Count == given.sizes.Count
                    && parts.Sum(p => p.InputTokens) == given.input
                    && parts.Sum(p => p.OutputTokens) == given.output
                    && parts.TrueForAll(p => p.InputTokens >= 0 && p.OutputTokens >= 0)
                    && parts[0].Count is not null
                    && parts.Skip(1).All(p => p.Count is null);
            }));

    [Fact]
    public void A_call_that_failed_failed_for_all() =>
        Assert.All(BatchedAnswerRule.Split(new CallOutcome.TimedOut(TimeSpan.FromSeconds(3)), [1, 2, 3]),
            part => Assert.IsType<CallOutcome.TimedOut>(part));
}
