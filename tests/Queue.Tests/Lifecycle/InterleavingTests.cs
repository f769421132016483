using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Exploration;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Lifecycle;

/// <summary>
/// Messages that come twice, late, in another order or never: whatever they do to a task, it ends once, is answered once, and pays for what
/// was called. FsCheck prints the seed of a failing run; Config.WithReplay takes it.
/// </summary>
public sealed class InterleavingTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private const int Cases = 100;
    private const int TasksACase = 4;

    private enum Act { SubmitAgain, Start, Grant, ReleaseMoney, ElapseDelay, ExpireLease, Call, Cancel, PassDeadline, LoseNext, LetRun }

    /// <param name="Task">Which of the case's tasks.</param>
    /// <param name="Act">What is sent.</param>
    /// <param name="Age">0 with the current attempt, 1 with the one before, −1 with the next.</param>
    private sealed record Step(int Task, Act Act, int Age);

    private static readonly Gen<Step[]> Scripts = Gen.ArrayOf(
        from task in Gen.Choose(0, TasksACase - 1)
        from act in Gen.Frequency(
            (2, Gen.Constant(Act.SubmitAgain)), (2, Gen.Constant(Act.Start)), (3, Gen.Constant(Act.Grant)),
            (2, Gen.Constant(Act.ReleaseMoney)), (2, Gen.Constant(Act.ElapseDelay)),
            (3, Gen.Constant(Act.ExpireLease)), (4, Gen.Constant(Act.Call)), (1, Gen.Constant(Act.Cancel)),
            (1, Gen.Constant(Act.PassDeadline)), (3, Gen.Constant(Act.LoseNext)), (4, Gen.Constant(Act.LetRun)))
        from age in Gen.Frequency((4, Gen.Constant(0)), (2, Gen.Constant(1)), (1, Gen.Constant(-1)))
        select new Step(task, act, age));

    private static readonly Gen<(Step[] Script, int Faults, int Throttles)> Runs =
        from script in Scripts.Resize(24)
        from faults in Gen.Choose(0, 3)
        from throttles in Gen.Choose(0, 2)
        select (script, faults, throttles);

    [Fact]
    public async Task Every_task_ends_once_whatever_becomes_of_its_messages()
    {
        var simulator = await simulators.Fresh();
        // A refusal names the limit, and the queue believes it: a simulator without limits would name one of thirty.
        await simulator.Configure(new
        {
            latencyMs = new[] { 0, 15 }, models = new[]
            {
                new { name = "first", rpm = 60_000 }, new { name = "second", rpm = 60_000 }, new { name = "critic", rpm = 60_000 },
            },
        });
        var lossy = new LossySends();
        await using var queue = await QueueUnderTest.Start(new QueueSetup
        {
            Catalogue = TestCatalogue.Of(["critic"], new TestModel("first") { Rpm = 60_000 }, new TestModel("second") { Rpm = 60_000 },
                new TestModel("critic") { Rpm = 60_000 }),
            ProviderUrl = simulator.BaseUrl, DailyBudgetUsd = 1000,
            Options = new WorkerOptions
            {
                FirstBackOff = TimeSpan.FromMilliseconds(5), MaxFaults = 50, Tick = TimeSpan.FromMilliseconds(5),
            },
        });
        queue.Services.GetRequiredService<IBus>().ConnectSendObserver(lossy);
        var (run, seen) = (0, 0L);
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(Cases), Prop.ForAll(Runs.ToArbitrary(), drawn =>
            // FsCheck asks synchronously; the test's own thread has nothing else to do.
            Task.Run(() => Play(queue, simulator, lossy, drawn.Script, drawn.Faults, drawn.Throttles, run++, n => seen = n, seen),
                TestContext.Current.CancellationToken)
                .GetAwaiter()
                .GetResult()));

        await queue.AssertLedgerIsSettled();
        // The scripts have met every pass, or this would show nothing of them.
        foreach (var why in new[] { "critique of the draft%", "revision after%", "critique of the revision%" })
            Assert.True(await queue.Scalar<long>("select count(*) from attempts where why like $1", why) > 0,
                $"no '{why}' was ever called");
        Assert.Equal(await queue.Read(db => db.Tasks.SumAsync(t => t.CostUsd)), (await queue.Budget()).SpentUsd);
        var called = (await simulator.Log()).Count;
        Assert.InRange(called, 1, await queue.Scalar<long>("select count(*) from attempts where worker is not null"));
    }

    private static async Task Play(
        QueueUnderTest queue, SimulatorProcess simulator, LossySends lossy, Step[] script, int faults, int throttles, int run,
        Action<long> saw, long since)
    {
        var tasks = Enumerable.Range(0, TasksACase)
            .Select(i => new LlmTask
            {
                Id = Guid.CreateVersion7(), Prompt = $"Run {run}, task {i}: why?", Kind = "analysis", Complexity = "low",
                MaxOutputTokens = 50, HighStakes = i % 2 == 1,
            }).ToList();
        var mark = $"Run {run},";
        if (faults > 0)
            await simulator.PostFault(new { empty = true }, times: faults, match: new { contains = mark });
        if (throttles > 0)
            await simulator.PostFault(new { throttle = new { retryAfterSeconds = 0.05, window = "RPM" } }, times: throttles,
                match: new { contains = mark });
        foreach (var task in tasks)
            await queue.Publish(task);
        foreach (var step in script)
            await Take(queue, lossy, tasks[step.Task], step);

        // From here on nothing is lost, and whoever has not ended is rung for, as the Rescuer and the Pacer would in time.
        lossy.StopLosing();
        var ids = tasks.ConvertAll(t => t.Id!.Value);
        await Eventually.True($"the tasks of run {run} have ended", TimeSpan.FromSeconds(30), async () =>
        {
            var rows = await queue.Read(db => db.Tasks.AsNoTracking().Where(t => ids.Contains(t.CorrelationId)).ToListAsync());
            foreach (var task in rows.Where(t => t.EndedAt is null))
                await queue.Send(BellOf(task));
            return rows.Count(t => t.EndedAt is not null) == TasksACase;
        });
        var calls = await simulator.Log(since);
        foreach (var task in tasks)
            await AssertEndedOnce(queue, calls, task.Id!.Value, task.Prompt!);
        saw(calls.Count > 0 ? calls[^1].N : since);
        await queue.AssertLedgerIsSettled();
    }

    private static async Task Take(QueueUnderTest queue, LossySends lossy, LlmTask task, Step step)
    {
        var id = task.Id!.Value;
        var attempt = ((await queue.Task(id))?.Attempt ?? 0) - step.Age;
        switch (step.Act)
        {
            case Act.SubmitAgain: await queue.Publish(task); break;
            case Act.Start: await queue.Send(new StartTask(id)); break;
            case Act.Grant: await queue.Send(new CapacityGranted(id, attempt + 1)); break;
            case Act.ReleaseMoney: await queue.Send(new BudgetReleased(id)); break;
            case Act.ElapseDelay: await queue.Send(new RetryDelayElapsed(id, attempt)); break;
            case Act.ExpireLease: await queue.Send(new LeaseExpired(id, attempt)); break;
            case Act.Call: await queue.Send(new CallProvider(id, attempt), new CallProvider(id, attempt)); break;
            case Act.Cancel: await queue.Send(new CancelTask(id)); break;
            case Act.PassDeadline: await queue.Send(new DeadlinePassed(id)); break;
            case Act.LoseNext: lossy.LoseNext(1 + step.Task); break;
            // A moment for what is under way; reading a row a few times is as long as a few transitions take.
            default:
                for (var i = 0; i < 3; i++)
                    await queue.Task(id);
                break;
        }
    }

    private static object[] BellOf(TaskRow task) => task.State switch
    {
        TaskStates.Submitted => [new StartTask(task.CorrelationId)],
        var state when TaskStates.IsCalled(state) => [new CallProvider(task.CorrelationId, task.Attempt)],
        TaskStates.WaitingForCapacity when task.Wait.GrantedAt is not null => [new CapacityGranted(task.CorrelationId, task.Attempt + 1)],
        TaskStates.WaitingToRetry => [new RetryDelayElapsed(task.CorrelationId, task.Attempt)],
        TaskStates.WaitingForBudget => [new BudgetReleased(task.CorrelationId)],
        _ => [],
    };

    private static async Task AssertEndedOnce(QueueUnderTest queue, IReadOnlyList<SimulatedCall> log, Guid id, string prompt)
    {
        var task = (await queue.Task(id))!;
        var history = await queue.History(id);
        var attempts = await queue.Attempts(id);
        var story = $"{prompt} {string.Join(" > ", history.Select(h => $"{h.Version}:{h.Entry}"))}";

        Assert.True(history.Count(h => TaskStates.Ends.Contains(h.Entry)) == 1, $"it ended more than once: {story}");
        Assert.True(TaskStates.Ends.Contains(history[^1].Entry), $"something happened after its end: {story}");
        Assert.Equal(Enumerable.Range(1, task.Version), history.Select(h => h.Version).Distinct().Union(GrantsOf(task, history)).Order());
        Assert.Equal(Enumerable.Range(1, task.Attempt), attempts.Select(a => a.Number));
        Assert.All(attempts, a => Assert.True(a.EndedAt is not null && a.Outcome is not null, $"attempt {a.Number} is open: {story}"));
        var answers = await queue.Read(db => db.Payloads.CountAsync(p => p.SubjectId == id && p.Part == PayloadRow.Answer));
        Assert.True(answers == (task.State == TaskStates.Completed ? 1 : 0), $"{answers} answers: {story}");
        var hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(prompt)))[..12];
        var calls = log.Count(c => c.PromptHash == hash);
        var claimed = attempts.Count(a => a.Worker is not null);
        Assert.True(calls <= claimed,
            string.Create(CultureInfo.InvariantCulture, $"{calls} calls for {claimed} claimed attempts: {story}"));
        if (task.State == TaskStates.Completed)
        {
            // The answer to its own question: as it was first given, or what was made of that.
            var kept = await queue.Payloads(id);
            Assert.True(
                kept[PayloadRow.Answer].StartsWith($"[answer to #{hash}]", StringComparison.Ordinal)
                    || kept[PayloadRow.Answer] == kept.GetValueOrDefault(TaskPasses.Revision),
                story);
            Assert.Equal(task.Pass.DraftedBy is not null, kept.ContainsKey(PayloadRow.Draft));
            await queue.Event<LlmTaskCompleted>(e => e.TaskId == id);
            Assert.Single(queue.Events<LlmTaskCompleted>(), e => e.TaskId == id);
        }
        else
        {
            Assert.DoesNotContain(queue.Events<LlmTaskCompleted>(), e => e.TaskId == id);
        }
    }

    // The Pacer's grant counts a version and writes no entry.
    private static IEnumerable<int> GrantsOf(TaskRow task, List<HistoryRow> history) =>
        Enumerable.Range(1, task.Version).Except(history.Select(h => h.Version))
            .Where(version => history.Exists(h => h.Version == version - 1 && h.Entry == "Deferred"));

    /// <summary>Loses messages as a broker that is away does: the sender gets an error, and nobody the message.</summary>
    private sealed class LossySends : ISendObserver
    {
        private int toLose;

        public void LoseNext(int count) => Interlocked.Add(ref toLose, count);

        public void StopLosing() => Interlocked.Exchange(ref toLose, 0);

        public Task PreSend<T>(SendContext<T> context) where T : class =>
            Interlocked.Decrement(ref toLose) >= 0 ? throw new InvalidOperationException("lost by the test") : Keep();

        public Task PostSend<T>(SendContext<T> context) where T : class => Task.CompletedTask;

        public Task SendFault<T>(SendContext<T> context, Exception exception) where T : class => Task.CompletedTask;

        private Task Keep()
        {
            Interlocked.Increment(ref toLose);
            return Task.CompletedTask;
        }
    }
}
