using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.Lifecycle;

/// <summary>A day's quota that comes to its end, through the running queue.</summary>
public sealed class QuotaShiftTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    [Fact]
    public async Task From_four_fifths_of_a_models_day_tasks_go_to_the_next_of_their_chain_and_say_so_and_those_with_much_at_stake_stay()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await QueueUnderTest.Start(new QueueSetup
        {
            Catalogue = TestCatalogue.Of(new TestModel("first") { Rpd = 11 }, new TestModel("second")), ProviderUrl = simulator.BaseUrl,
        });

        var answered = new List<TaskRow>();
        for (var i = 0; i < 11; i++)
            answered.Add(await queue.Ended(await queue.Publish(Question(i))));
        var stays = await queue.Ended(await queue.Publish(Question(10) with { HighStakes = true }));

        Assert.Equal([.. Enumerable.Repeat("groq:first", 9), "groq:second", "groq:second"], answered.Select(task => task.AnsweredModel));
        Assert.Equal("groq:first", stays.AnsweredModel);
        var told = await queue.Event<LlmTaskDowngraded>(e => e.TaskId == answered[9].CorrelationId);
        Assert.Equal(("groq:first", "groq:second"), (told.From, told.To));
        Assert.Contains("from 80 % a model with more left goes first", told.Reason, StringComparison.Ordinal);
        Assert.Contains(await queue.History(answered[9].CorrelationId), entry => entry.Entry == "Downgraded");
        await queue.AssertLedgerIsSettled();
    }

    private static LlmTask Question(int number) =>
        new() { Prompt = $"Why is it so, for the {number}. time?", Kind = "analysis", Complexity = "high", MaxOutputTokens = 20 };
}
