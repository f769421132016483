using System.Globalization;
using LlmQueue.Contracts;
using LlmQueue.Limits;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Queue;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Harness;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Lifecycle;

/// <summary>A model that is taken off while tasks wait for it.</summary>
public sealed class RetirementTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private static readonly DateOnly Tomorrow = DateOnly.FromDateTime(TimeProvider.System.GetUtcNow().UtcDateTime.AddDays(1));

    [Fact]
    public async Task Tasks_that_stand_in_line_for_a_model_that_retires_at_midnight_are_answered_by_its_successor()
    {
        var simulator = await simulators.Fresh();
        var clock = new ShiftedClock();
        await using var queue = await QueueUnderTest.Start(Setup(simulator, clock));
        await queue.Execute(
            "update buckets set closed_until = now() + interval '3 days', closed_reason = 'closed by the test' where model = 'old'");
        Show(queue, await queue.Buckets());
        var ids = await Task.WhenAll(Enumerable.Range(0, 5).Select(i => queue.Publish(
            new LlmTask { Prompt = $"Question {i}", Kind = "analysis", Complexity = "low", Model = i == 0 ? "groq:old" : null })));
        foreach (var id in ids)
            Assert.Contains("groq:old", (await queue.InState(id, TaskStates.WaitingForCapacity)).Wait.Reason, StringComparison.Ordinal);

        clock.Shift(TimeSpan.FromDays(1));
        queue.Services.GetRequiredService<CapacitySignal>().Send();
        foreach (var id in ids)
            Assert.Equal("groq:new", (await queue.InState(id, TaskStates.Completed)).AnsweredModel);

        Assert.DoesNotContain(await simulator.Log(), c => c.Model == "old");
        Assert.Contains(await queue.History(ids[0]),
            h => h.Entry == "Replaced" && h.Reason!.EndsWith("groq:new takes its place", StringComparison.Ordinal));
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task A_model_that_its_provider_takes_off_before_its_day_is_replaced_and_so_is_it_for_whoever_waits()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await QueueUnderTest.Start(Setup(simulator, TimeProvider.System));
        await simulator.PostFault(new { modelGone = true }, match: new { model = "old" });

        var first = await queue.Publish(new LlmTask { Prompt = "The first", Kind = "analysis", Complexity = "low", Model = "groq:old" });
        Assert.Equal("groq:new", (await queue.InState(first, TaskStates.Completed)).AnsweredModel);
        var second = await queue.Publish(new LlmTask { Prompt = "The second", Kind = "analysis", Complexity = "low", Model = "groq:old" });
        await queue.InState(second, TaskStates.Completed);

        Assert.Equal(["model gone", "answered"], (await queue.Attempts(first)).Select(a => a.Outcome));
        Assert.Equal("groq:new", Assert.Single(await queue.Attempts(second)).Model);
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task Whoever_looks_is_told_how_many_days_are_left()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await QueueUnderTest.Start(Setup(simulator, TimeProvider.System));

        var retirement = Assert.Single(
            (await queue.Services.GetRequiredService<QueueViews>().Read(TestContext.Current.CancellationToken)).Retirements);

        Assert.Equal(("groq:old", 1, "groq:new"), (retirement.Model, retirement.Days, retirement.Successor));
        await Eventually.True("it is logged", TimeSpan.FromSeconds(5),
            () => queue.Warnings.Any(w => w.Contains("groq:old retires in 1 day", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task The_version_that_answered_is_recorded_as_the_answer_named_it()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await QueueUnderTest.Start(Setup(simulator, TimeProvider.System));

        var id = await queue.Ask();
        await queue.InState(id, TaskStates.Completed);

        Assert.Matches("^old fp_[0-9a-z]+$", Assert.Single((await queue.View(id)).Attempts).ModelVersion);
    }

    private static QueueSetup Setup(SimulatorProcess simulator, TimeProvider clock) => new()
    {
        ProviderUrl = simulator.BaseUrl, Clock = clock,
        Catalogue = $$"""
            { "models": [
                { "id": "groq:old", "context": 100000, "maxOutput": 10000, "retires": "{{Tomorrow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}}", "replacedBy": "groq:new" },
                { "id": "groq:new", "context": 100000, "maxOutput": 10000 } ],
              "routes": [ { "task": "any", "complexity": "any", "models": ["groq:old"] } ] }
            """,
    };

    private static void Show(QueueUnderTest queue, List<TokenBucket> buckets)
    {
        foreach (var bucket in buckets)
            queue.Services.GetRequiredService<LimitViews>().Show(bucket);
    }

    /// <summary>
    /// The time of the machine, moved: what waits goes on waiting, and the date is another. Not a FakeTimeProvider: its timers and elapsed
    /// time stand still until they are told to move, and a whole running queue waits on them.
    /// </summary>
    private sealed class ShiftedClock : TimeProvider
    {
        private long shift;

        public void Shift(TimeSpan by) => Interlocked.Add(ref shift, by.Ticks);

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow().AddTicks(Interlocked.Read(ref shift));
    }
}
