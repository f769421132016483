using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.Lifecycle;

/// <summary>
/// A provider that says "not now": the task waits just as long as it must, where everybody can see it, or goes elsewhere at once.
/// </summary>
public sealed class ThrottleTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private static readonly TimeSpan Asked = TimeSpan.FromSeconds(2.5);

    // On purpose it is at most 150 ms later (jitter and tick); the rest is room for a machine that runs everything else at once.
    // Earlier is never right.
    private static readonly TimeSpan Late = TimeSpan.FromSeconds(2);

    [Fact]
    public async Task Waits_exactly_as_long_as_the_provider_asked_and_says_why_and_until_when()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { throttle = new { retryAfterSeconds = Asked.TotalSeconds, window = "TPM" } }, times: 1);
        await using var queue = await QueueUnderTest.Start(Setup(simulator, new TestModel("first")));

        var id = await queue.Ask();
        var waiting = await queue.InState(id, TaskStates.WaitingForCapacity);
        var deferred = await queue.Event<LlmTaskDeferred>(e => e.TaskId == id);
        var ended = await queue.InState(id, TaskStates.Completed);

        var log = await simulator.Log();
        Assert.Equal([429, 200], log.Select(c => c.Status));
        var refusedAt = log[0].EndedAt!.Value;
        Assert.InRange(log[1].ArrivedAt, refusedAt + Asked, refusedAt + Asked + Late);
        Assert.Equal(("capacity", 0), (waiting.Wait.For, waiting.Faults));
        Assert.InRange(waiting.Wait.ExpectedAt!.Value, (refusedAt + Asked).UtcDateTime, (refusedAt + Asked + Late).UtcDateTime);
        Assert.Contains("groq:first of org-1 is closed until", waiting.Wait.Reason, StringComparison.Ordinal);
        Assert.Contains("try again in 2.5s", waiting.Wait.Reason, StringComparison.Ordinal);
        Assert.Equal(("capacity", waiting.Wait.Reason), (deferred.WaitingFor, deferred.Reason));
        // The database keeps microseconds.
        Assert.Equal(waiting.Wait.ExpectedAt!.Value, deferred.ExpectedAt!.Value.UtcDateTime, TimeSpan.FromMilliseconds(1));
        Assert.Equal((0, 2, (string?)null, (DateTime?)null), (ended.Faults, ended.Attempt, ended.Wait.Reason, ended.Wait.ExpectedAt));
        Assert.Equal(["throttled", "answered"], (await queue.Attempts(id)).Select(a => a.Outcome));
        Assert.Equal(["Submitted", "Calling", "Throttled", "Deferred", "Calling", "Completed"],
            (await queue.History(id)).Select(h => h.Entry));
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task Waits_as_long_across_a_restart_in_the_middle()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { throttle = new { retryAfterSeconds = Asked.TotalSeconds, window = "RPM" } }, times: 1);
        var setup = Setup(simulator, new TestModel("first"));
        TaskRow waiting;
        Guid id;
        await using (var before = await QueueUnderTest.Start(setup))
        {
            id = await before.Ask();
            waiting = await before.InState(id, TaskStates.WaitingForCapacity);
            setup = setup with { Database = before.Database };
        }

        await using var after = await QueueUnderTest.Start(setup);
        Assert.Equal((TaskStates.WaitingForCapacity, waiting.Wait.ExpectedAt),
            ((await after.Task(id))!.State, (await after.Task(id))!.Wait.ExpectedAt));
        var ended = await after.InState(id, TaskStates.Completed);

        var log = await simulator.Log();
        var refusedAt = log[0].EndedAt!.Value;
        Assert.Equal(2, log.Count);
        Assert.InRange(log[1].ArrivedAt, refusedAt + Asked, refusedAt + Asked + Late);
        Assert.Equal((2, 0), (ended.Attempt, ended.Faults));
        await after.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task Takes_a_fallback_with_room_at_once_and_says_so()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { throttle = new { retryAfterSeconds = 30, window = "TPD" } }, match: new { model = "first" });
        await using var queue = await QueueUnderTest.Start(Setup(simulator, new TestModel("first"), new TestModel("spare")));

        var id = await queue.Ask();
        var ended = await queue.InState(id, TaskStates.Completed);
        var told = await queue.Event<LlmTaskDowngraded>(e => e.TaskId == id);

        Assert.Equal(("groq:spare", 2, 0), (ended.AnsweredModel, ended.Attempt, ended.Faults));
        Assert.Equal(("groq:first", "groq:spare"), (told.From, told.To));
        Assert.Contains("groq:first of org-1 is closed until", told.Reason, StringComparison.Ordinal);
        Assert.Empty(queue.Events<LlmTaskDeferred>());
        var log = await simulator.Log();
        Assert.InRange(log[1].ArrivedAt - log[0].EndedAt!.Value, TimeSpan.Zero, TimeSpan.FromSeconds(1));
        // The next one does not even ask the closed one.
        var next = await queue.InState(await queue.Ask("And why is it red?"), TaskStates.Completed);
        Assert.Equal(("groq:spare", 1), (next.AnsweredModel, next.Attempt));
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task After_a_refusal_nobody_else_runs_into_it_and_all_are_answered()
    {
        // Its own: settings of a simulator stay. A refusal names the limit, and is believed.
        await using var simulator = await SimulatorProcess.Start();
        await simulator.Configure(new { models = new[] { new { name = "first", rpm = 6000 } } });
        await simulator.PostFault(new { throttle = new { retryAfterSeconds = 1, window = "RPM" } }, times: 1);
        await using var queue = await QueueUnderTest.Start(Setup(simulator, new TestModel("first") { Rpm = 6000 }));

        var first = await queue.Ask("The one that is refused");
        await queue.InState(first, TaskStates.WaitingForCapacity);
        var others = await Task.WhenAll(Enumerable.Range(0, 30).Select(i => queue.Ask($"Question {i}")));
        foreach (var id in others.Append(first))
            await queue.InState(id, TaskStates.Completed);

        Assert.Single(await simulator.Log(), c => c.Status == 429);
        foreach (var id in others)
            await queue.Event<LlmTaskDeferred>(e => e.TaskId == id);
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task Work_above_the_limit_is_sent_at_the_limit_and_never_refused()
    {
        // Its own: settings of a simulator stay.
        await using var simulator = await SimulatorProcess.Start();
        await simulator.Configure(new { models = new[] { new { name = "first", rpm = 6000, tpm = 120_000 } } });
        await using var queue = await QueueUnderTest.Start(Setup(simulator, new TestModel("first") { Rpm = 6000, Tpm = 120_000 }));
        // The first call of a process takes as long as a hundred others, and while it is on its way our bucket refills and the
        // provider's is still full.
        await queue.InState(await queue.Ask("Warm up"), TaskStates.Completed);

        // 120,000 a minute at some 940 a call: about 126 at once, the rest at two a second. Answers of the burst come in any order.
        await simulator.Configure(new { latencyMs = new[] { 0, 40 } });
        var ids = await Task.WhenAll(Enumerable.Range(0, 140)
            .Select(i => queue.Ask($"Question {i}: why is the sky blue in the day and red in the evening?", maxOutputTokens: 910)));
        foreach (var id in ids)
            await queue.InState(id, TaskStates.Completed);

        var log = await simulator.Log();
        Assert.True(log.All(c => c.Status == 200), string.Join('\n', log.SkipWhile(c => c.Status == 200).Take(20)
            .Select(c => $"{c.N} {c.ArrivedAt:ss.fff} {c.EndedAt:ss.fff} {c.Status} {c.Charged}")));
        Assert.NotEmpty(queue.Events<LlmTaskDeferred>());
        Assert.InRange(Assert.Single((await simulator.Statistics()).Accounts).Windows["TPM"].HighestShare, 0.8, 1);
        await queue.AssertLedgerIsSettled();
    }

    private static QueueSetup Setup(SimulatorProcess simulator, params TestModel[] models) =>
        new() { Catalogue = TestCatalogue.Of(models), ProviderUrl = simulator.BaseUrl };
}
