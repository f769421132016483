using LlmQueue.Contracts;
using LlmQueue.Limits;
using LlmQueue.Storage.Queue;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker;
using LlmQueue.Worker.Probes;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Calling;

/// <summary>
/// Providers that go away and come back, as the whole queue lives through it. The primary is groq, the backup mistral: two simulators.
/// </summary>
public sealed class OutageTests : IAsyncLifetime
{
    private static readonly TimeSpan FirstChoice = TimeSpan.FromSeconds(1);
    private SimulatorProcess primary = null!, backup = null!;

    public async ValueTask InitializeAsync() => (primary, backup) = (await SimulatorProcess.Start(), await SimulatorProcess.Start());

    public async ValueTask DisposeAsync()
    {
        await primary.DisposeAsync();
        await backup.DisposeAsync();
    }

    /// <summary>
    /// Whatever way the primary goes, every task is answered: those on their way after a first-choice time-out at most, those that come
    /// after without noticing. When it is back it is asked by one probe, then by a few, never by all at once.
    /// </summary>
    [Theory]
    [InlineData("refuses")]
    [InlineData("hangs")]
    [InlineData("resets")]
    public async Task The_primary_goes_away_and_comes_back_by_probes(string way)
    {
        object fault = way switch
        {
            "refuses" => new { status = 503, body = "down" },
            "hangs" => new { hang = true },
            _ => new { reset = true },
        };
        await using var queue = await QueueUnderTest.Start(Setup());
        await Answered(queue, 20);
        await primary.PostFault(fault);

        var inFlight = await Answered(queue, 60);
        var open = (await queue.Event<ProviderHealthChanged>(e => e.State == "open")).At;
        await primary.Reset();
        await primary.PostFault(fault);
        var after = await Answered(queue, 60);

        Assert.All(inFlight, task => Assert.Equal(0, task.Faults - task.Outages));
        Assert.True(P95(inFlight) <= FirstChoice + TimeSpan.FromSeconds(1), $"p95 of those on their way: {P95(inFlight)}");
        Assert.All(after, task => Assert.Equal((0, 1, "mistral:spare"), (task.Faults, task.Attempt, task.AnsweredModel)));
        Assert.Empty(await primary.Log());
        await queue.Event<LlmTaskDowngraded>(
            e => e.From == "groq:first" && e.Reason.Contains("has its circuit breaker open until", StringComparison.Ordinal));

        // It is back; the row lets the first call through ten seconds after it opened.
        await primary.Reset();
        await primary.Configure(new { latencyMs = new[] { 60, 60 } });
        await Eventually.True("the primary is asked again", TimeSpan.FromSeconds(15), async () =>
        {
            await Answered(queue, 40);
            return (await primary.Log()).Count > 20;
        });
        var log = await primary.Log();
        Assert.True(log[0].ArrivedAt >= open + TimeSpan.FromSeconds(9.9), $"probed {log[0].ArrivedAt - open} after it opened");
        Assert.True(log[1].ArrivedAt >= log[0].EndedAt, "a second call came before the probe was answered");
        // Doubling rounds: with the probe 1, then 2, 4, 8 at once.
        Assert.InRange(AtOnce(log, 3), 1, 2);
        Assert.InRange(AtOnce(log, 7), 1, 4);
        Assert.InRange(AtOnce(log, 15), 1, 8);
        await queue.Event<ProviderHealthChanged>(e => e.State == "recovering");
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task With_everybody_down_tasks_wait_where_all_can_see_it_and_run_when_one_is_back_also_across_a_restart()
    {
        await primary.PostFault(new { status = 503, body = "down" });
        await backup.PostFault(new { hang = true });
        var setup = Setup();
        List<Guid> ids = [];
        await using (var before = await QueueUnderTest.Start(setup))
        {
            for (var i = 0; i < 30; i++)
                ids.Add(await before.Ask($"Question {i}"));
            await Eventually.True("both are found to be away", TimeSpan.FromSeconds(15),
                async () => (await before.Buckets()).All(b => b.BrokenSince is not null));
            foreach (var id in ids)
            {
                var waiting = await before.InState(id, TaskStates.WaitingForCapacity, TaskStates.WaitingToRetry);
                Assert.NotNull(waiting.Wait.Reason);
                Assert.NotNull(waiting.Wait.ExpectedAt);
            }

            var view = await before.Services.GetRequiredService<QueueViews>().Read(TestContext.Current.CancellationToken);
            Assert.All(view.Buckets, b => Assert.True(
                b.Breaker is { State: "open", Reason: not null, Since: not null, NextProbeAt: not null }, $"{b.Id}: {b.Breaker}"));
            Assert.Contains(view.Waiting, line => line.Reason.Contains("has its circuit breaker open", StringComparison.Ordinal));
            Assert.Empty(before.Events<LlmTaskFailed>());
            Assert.Contains(before.Warnings, line => line.Contains("The breaker of groq/org-1/first is open", StringComparison.Ordinal));
            setup = setup with { Database = before.Database };
        }

        await using var after = await QueueUnderTest.Start(setup);
        Assert.All(await after.Buckets(),
            b => Assert.Equal(BreakerState.Open, BreakerRule.StateOf(b, TimeProvider.System.GetUtcNow().UtcDateTime)));
        await backup.Reset();
        foreach (var id in ids)
            Assert.Equal("mistral:spare", (await after.InState(id, TaskStates.Completed)).AnsweredModel);
        await after.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task What_one_worker_has_found_the_others_know_before_their_next_call()
    {
        await primary.PostFault(new { status = 503, body = "down" });
        await using var one = await QueueUnderTest.Start(Setup());
        await using var other = await QueueUnderTest.Start(Setup() with { Database = one.Database });
        await Answered(one, 20);
        await one.Event<ProviderHealthChanged>(e => e.State == "open");
        await primary.Reset();

        Assert.All(await Answered(other, 20), task => Assert.Equal((1, "mistral:spare"), (task.Attempt, task.AnsweredModel)));

        Assert.Empty(await primary.Log());
    }

    /// <summary>Ten calls at once is all a worker has for a provider here, and the primary keeps all ten of its own.</summary>
    [Fact]
    public async Task A_provider_that_hangs_slows_nobody_else()
    {
        await primary.PostFault(new { hang = true });
        await using var queue = await QueueUnderTest.Start(Setup() with
        {
            Options = Quick with
            {
                ConcurrentCalls = 10, CallTimeout = TimeSpan.FromSeconds(20), FirstChoiceTimeout = TimeSpan.FromSeconds(20),
            },
        });
        for (var i = 0; i < 40; i++)
            await queue.Publish(new LlmTask
            {
                Prompt = $"Question {i}", Kind = "analysis", Complexity = "low", MaxOutputTokens = 50, Model = "groq:first",
            });
        await Eventually.True("the primary hangs on to ten", TimeSpan.FromSeconds(10),
            async () => (await primary.Statistics()).InFlight == 10);

        var others = new List<TaskRow>();
        for (var i = 0; i < 40; i++)
            others.Add(await queue.InState(await queue.Publish(new LlmTask
            {
                Prompt = $"Other {i}", Kind = "analysis", Complexity = "low", MaxOutputTokens = 50, Model = "mistral:spare",
            }), TaskStates.Completed));

        Assert.True(P95(others) < TimeSpan.FromSeconds(1), $"p95: {P95(others)}");
        Assert.Equal(10, (await primary.Statistics()).InFlight);
        await primary.Reset();
    }

    [Fact]
    public async Task A_look_that_costs_nothing_goes_before_a_call_is_risked_on_a_provider_that_is_wholly_away()
    {
        // Nobody listens there.
        await using var queue = await QueueUnderTest.Start(Setup() with { ProviderUrl = "http://127.0.0.1:9/v1", Upkeep = true });
        await queue.Execute("update buckets set broken_since = now(), broken_reason = 'test', probe_at = now() "
            + "+ interval '5 seconds' where provider = 'groq'");
        await queue.Services.GetRequiredService<ProbeTimers>()
            .Set("groq/org-1/first", TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(5));

        var looked = await Eventually.Found("it was looked at", TimeSpan.FromSeconds(10),
            async () => (await queue.Buckets()).Find(b => b is { Provider: "groq", FailedProbes: 1 }));

        Assert.NotEqual("test", looked.BrokenReason);
        Assert.InRange(looked.ProbeAt!.Value - looked.BrokenSince!.Value, TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(40));
        Assert.Equal(1, await queue.Scalar<long>("select count(*) from qrtz_triggers where trigger_name = 'groq/org-1/first'"));
    }

    private static WorkerOptions Quick => new()
    {
        CallTimeout = TimeSpan.FromSeconds(3), FirstChoiceTimeout = FirstChoice, FirstBackOff = TimeSpan.FromMilliseconds(100),
    };

    private QueueSetup Setup() => new()
    {
        Catalogue = TestCatalogue.Of(new TestModel("first") { FirstChoiceTimeoutSeconds = 1 },
            new TestModel("spare") { Provider = "mistral", FirstChoiceTimeoutSeconds = 1 }),
        ProviderUrl = primary.BaseUrl, Variables = new Dictionary<string, string?>
        {
            ["MISTRAL_API_KEY"] = "sk-backup", ["MISTRAL_ORG_1"] = "org-1", ["MISTRAL_BASE_URL"] = backup.BaseUrl,
        },
        Options = Quick,
    };

    private static async Task<List<TaskRow>> Answered(QueueUnderTest queue, int count)
    {
        var ids = await Task.WhenAll(Enumerable.Range(0, count).Select(i => queue.Ask($"Question {i}")));
        var tasks = new List<TaskRow>();
        foreach (var id in ids)
            tasks.Add(await queue.InState(id, TaskStates.Completed));
        return tasks;
    }

    private static TimeSpan P95(List<TaskRow> tasks) =>
        tasks.Select(t => t.EndedAt!.Value - t.SubmittedAt).Order().ElementAt(tasks.Count * 95 / 100);

    /// <summary>The most that were open together among the first calls.</summary>
    private static int AtOnce(IReadOnlyList<SimulatedCall> log, int first) =>
        log.Take(first).Max(call => log.Take(first).Count(other => other.ArrivedAt <= call.ArrivedAt && other.EndedAt > call.ArrivedAt));
}
