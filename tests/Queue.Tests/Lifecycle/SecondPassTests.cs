using LlmQueue.Contracts;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Batches;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker;
using LlmQueue.Worker.Ranking;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Lifecycle;

/// <summary>Draft, critique, revision, verdict: what much at stake costs more, and that it never costs the answer.</summary>
public sealed class SecondPassTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private const string Question = "Does warm water freeze sooner than cold water?";
    private const string Flawed = """{"verdict": "revise", "issues": ["It says nothing of evaporation."], "score": 0.4}""";
    private const string Better = """{"verdict": "accept", "issues": [], "score": 0.8}""";
    private const string Worse = """{"verdict": "revise", "issues": ["Now it is wrong."], "score": 0.3}""";

    [Fact]
    public async Task A_revision_that_scores_no_lower_is_the_answer_and_every_pass_is_kept()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);
        await Says(simulator, "critic", Flawed, Better);
        await Says(simulator, "first", "It does, always.", "Sometimes: evaporation takes some of it.");

        var id = await Ask(queue);
        var task = await queue.InState(id, TaskStates.Completed);

        Assert.Equal("Sometimes: evaporation takes some of it.", await queue.Answer(id));
        Assert.Equal("Sometimes: evaporation takes some of it.", (await queue.Event<LlmTaskCompleted>(e => e.TaskId == id)).Output);
        Assert.Equal(("groq:first", "groq:critic", 0.4), (task.AnsweredModel, task.Pass.Critic, task.Pass.DraftScore));
        var attempts = await queue.Attempts(id);
        Assert.Equal(["groq:first", "groq:critic", "groq:first", "groq:critic"], attempts.Select(a => a.Model));
        Assert.Equal(
            ["draft; any/any; producer said analysis, high", "critique of the draft by groq:first",
                "revision after the critique by groq:critic", "critique of the revision by groq:first"],
            attempts.Select(a => a.Why));
        Assert.Equal(
            ["Submitted", "Calling", "Drafted", "Critiquing", "Critiqued", "Revising", "Revised", "Critiquing", "Critiqued", "RevisionKept",
                "Completed"],
            (await queue.History(id)).Select(h => h.Entry));
        Assert.Equal((attempts.Sum(a => a.InputTokens!.Value), attempts.Sum(a => a.CostUsd!.Value)), (task.InputTokens, task.CostUsd));
        // What the critic thought of the draft counts for its author.
        await queue.Services.GetRequiredService<ModelRanking>().Share(TestContext.Current.CancellationToken);
        var quality = await queue.Read(db => db.Rankings.Where(r => r.Model == "groq:first")
            .Select(r => new { r.Quality, r.QualityWeight }).SingleAsync(TestContext.Current.CancellationToken));
        Assert.Equal((0.4, 1.0), (quality.Quality, quality.QualityWeight));
        var view = await queue.View(id);
        Assert.Equal(
            [("draft", "It does, always."), ("critique", Flawed), ("revision", "Sometimes: evaporation takes some of it."),
                ("verdict", Better)],
            view.Passes.Select(p => (p.Pass, p.Text)));
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task The_issues_reach_the_model_that_revises_and_the_revision_the_critic()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);
        await Says(simulator, "critic", Flawed, Better);

        var id = await Ask(queue);
        await queue.InState(id, TaskStates.Completed);

        var sent = await queue.Payloads(id);
        Assert.Contains("It says nothing of evaporation.", sent["prompt/revision"], StringComparison.Ordinal);
        Assert.Contains(Question, sent["prompt/revision"], StringComparison.Ordinal);
        // The simulator begins with the hash of what it was asked.
        Assert.NotEqual(sent["draft"], sent["revision"]);
        Assert.Contains(sent["draft"][..24], sent["prompt/critique"], StringComparison.Ordinal);
        Assert.Contains(sent["revision"][..24], sent["prompt/verdict"], StringComparison.Ordinal);
        Assert.Equal(sent["revision"], sent["answer"]);
    }

    [Fact]
    public async Task A_revision_that_scores_lower_is_not_kept()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);
        await Says(simulator, "critic", Flawed, Worse);

        var id = await Ask(queue);
        await queue.InState(id, TaskStates.Completed);

        Assert.Equal((await queue.Payloads(id))["draft"], await queue.Answer(id));
        await Kept(queue, id, "the draft is the answer: the revision scored 0.30, the draft 0.40");
        Assert.Equal(4, (await queue.Attempts(id)).Count);
    }

    [Fact]
    public async Task A_draft_that_the_critic_accepts_is_not_revised()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);
        await Says(simulator, "critic", Better);

        var id = await Ask(queue);
        await queue.InState(id, TaskStates.Completed);

        await Kept(queue, id, "the draft is the answer: the critic accepts it, score 0.80");
        Assert.Equal(2, (await queue.Attempts(id)).Count);
    }

    public static TheoryData<string, object, string> Critics { get; } = new()
    {
        { "unreadable", new { say = "Looks good to me!" }, "the critique is not the object that was asked for" },
        { "refused", new { refused = true }, "nobody gave the critique: No model is left: groq:critic refused the content" },
        { "empty", new { empty = true }, "nobody gave the critique: 3 calls met a fault" },
        { "gone", new { modelGone = true }, "nobody gave the critique: No model is left: groq:critic is gone" },
        { "wrong", new { status = 400, body = "no such thing" }, "nobody gave the critique: groq:critic finds the request wrong" },
    };

    [Theory]
    [MemberData(nameof(Critics))]
    public async Task No_task_fails_because_of_its_critic(string what, object fault, string reason)
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator,
            new WorkerOptions { FirstBackOff = TimeSpan.FromMilliseconds(5), MaxFaults = 3, Tick = TimeSpan.FromMilliseconds(5) });
        await simulator.PostFault(fault, match: new { model = "critic" });

        var id = await Ask(queue);
        await queue.InState(id, TaskStates.Completed);

        Assert.True((await queue.Answer(id))!.StartsWith("[answer to #", StringComparison.Ordinal), what);
        await Kept(queue, id, $"the draft is the answer: {reason}");
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task Nobody_reviews_his_own_draft()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await QueueUnderTest.Start(new QueueSetup
        {
            Catalogue = TestCatalogue.Of(["critic"], new TestModel("critic"), new TestModel("first")), ProviderUrl = simulator.BaseUrl,
        });

        var id = await queue.Publish(
            new LlmTask { Prompt = Question, Kind = "analysis", Complexity = "high", Model = "groq:critic", HighStakes = true });
        await queue.InState(id, TaskStates.Completed);

        await Kept(queue, id, "the draft is the answer: no model can be asked for the critique; see the catalogue's passes and keys");
        Assert.Single(await queue.Attempts(id));
    }

    [Fact]
    public async Task What_is_not_at_stake_is_answered_in_one_call()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);

        var id = await queue.Ask(Question);
        await queue.InState(id, TaskStates.Completed);

        Assert.Equal("any/any; producer said analysis, low", Assert.Single(await queue.Attempts(id)).Why);
        Assert.Equal(["answer", "prompt"], (await queue.Payloads(id)).Keys.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(0, TaskPasses.Critique, "critic", TaskStates.Critiquing)]
    [InlineData(1, TaskPasses.Revision, "first", TaskStates.Revising)]
    [InlineData(1, TaskPasses.Verdict, "critic", TaskStates.Critiquing)]
    public async Task A_task_whose_pass_finds_no_room_waits_and_goes_on_in_it_after_a_restart(
        int before, string pass, string model, string state)
    {
        var simulator = await simulators.Fresh();
        var catalogue = TestCatalogue.Of(["critic"], new TestModel("first") { Rpm = 60_000 }, new TestModel("critic") { Rpm = 60_000 });
        await Says(simulator, "critic", Flawed, Better);
        await simulator.PostFault(new { throttle = new { retryAfterSeconds = 3600, window = "RPM" } }, times: 1, match: new { model },
            skip: before);
        Guid id;
        string database;
        await using (var queue = await QueueUnderTest.Start(new QueueSetup { Catalogue = catalogue, ProviderUrl = simulator.BaseUrl }))
        {
            (id, database) = (await Ask(queue), queue.Database);
            var waiting = await queue.InState(id, TaskStates.WaitingForCapacity);
            Assert.Equal(pass, waiting.Pass.Name);
        }

        await using var again = await QueueUnderTest.Start(
            new QueueSetup { Catalogue = catalogue, ProviderUrl = simulator.BaseUrl, Database = database });
        await again.Execute("update buckets set closed_until = null, level_requests_minute = 60000, as_of = now()");
        again.Services.GetRequiredService<CapacitySignal>().Send();
        await again.InState(id, TaskStates.Completed);

        Assert.Equal((await again.Payloads(id))["revision"], await again.Answer(id));
        var history = (await again.History(id)).Select(h => h.Entry).ToList();
        Assert.Equal(state, history[history.LastIndexOf("Deferred") + 1]);
        Assert.Equal(5, (await again.Attempts(id)).Count);
        await again.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task A_task_whose_critique_finds_no_money_waits_for_it_and_goes_on_in_it()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await QueueUnderTest.Start(new QueueSetup
        {
            Catalogue = TestCatalogue.Of(["critic"], new TestModel("first") { Price = 1 }, new TestModel("critic") { Price = 1000 }),
            ProviderUrl = simulator.BaseUrl, DailyBudgetUsd = 0.01m,
        });
        await Says(simulator, "critic", Better);

        var id = await Ask(queue);
        Assert.Equal(TaskPasses.Critique, (await queue.InState(id, TaskStates.WaitingForBudget)).Pass.Name);
        await queue.Execute("update budgets set limit_usd = 1000");
        queue.Services.GetRequiredService<CapacitySignal>().Send();
        await queue.InState(id, TaskStates.Completed);

        await Kept(queue, id, "the draft is the answer: the critic accepts it, score 0.80");
        await queue.AssertLedgerIsSettled();
    }

    [Theory]
    [InlineData(0, TaskPasses.Critique, "critic", TaskStates.Critiquing)]
    [InlineData(1, TaskPasses.Revision, "first", TaskStates.Revising)]
    [InlineData(1, TaskPasses.Verdict, "critic", TaskStates.Critiquing)]
    public async Task A_worker_that_dies_in_a_pass_costs_one_attempt_and_the_pass_is_called_again(
        int before, string pass, string model, string state)
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator,
            new WorkerOptions { FirstBackOff = TimeSpan.FromMilliseconds(5), Tick = TimeSpan.FromMilliseconds(5) });
        await simulator.PostFault(new { hang = true }, times: 1, match: new { model }, skip: before);
        await Says(simulator, "critic", Flawed, Better);

        var id = await Ask(queue);
        var calling = await queue.Becomes(id, $"in its {pass}", t => t.State == state && t.Pass.Name == pass);
        await Eventually.True("the call is made", TimeSpan.FromSeconds(10),
            async () => (await queue.Attempts(id)).Exists(a => a.Number == calling.Attempt && a.Worker is not null));
        await queue.Send(new LeaseExpired(id, calling.Attempt), new LeaseExpired(id, calling.Attempt));
        await queue.InState(id, TaskStates.Completed);

        Assert.Equal((await queue.Payloads(id))["revision"], await queue.Answer(id));
        var attempts = await queue.Attempts(id);
        Assert.Equal((5, calling.Attempt), (attempts.Count, Assert.Single(attempts, a => a.Outcome == "abandoned").Number));
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task A_deadline_that_passes_while_it_waits_for_a_critic_makes_the_draft_the_answer()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);
        await simulator.PostFault(new { throttle = new { retryAfterSeconds = 3600, window = "RPM" } }, match: new { model = "critic" });

        var id = await Ask(queue);
        await queue.InState(id, TaskStates.WaitingForCapacity);
        await queue.Send(new DeadlinePassed(id));
        await queue.InState(id, TaskStates.Completed);

        await Kept(queue, id, "passed before the critique was there");
        await queue.Event<LlmTaskCompleted>(e => e.TaskId == id);
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task A_deadline_that_passes_during_the_critique_makes_the_draft_the_answer_and_the_late_critique_changes_nothing()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);
        await simulator.PostFault(new { delayMs = 700, say = Flawed }, match: new { model = "critic" });

        var id = await Ask(queue);
        var calling = await queue.InState(id, TaskStates.Critiquing);
        await Eventually.True("the critic is asked", TimeSpan.FromSeconds(10),
            async () => (await simulator.Log()).Any(c => c.Model == "critic"));
        await queue.Send(new DeadlinePassed(id));
        var done = await queue.InState(id, TaskStates.Completed);
        await Eventually.True("the critic has answered", TimeSpan.FromSeconds(10),
            async () => (await simulator.Log()).Any(c => c.Model == "critic" && c.EndedAt is not null));

        Assert.Equal((await queue.Payloads(id))["draft"], await queue.Answer(id));
        Assert.Equal((done.Version, calling.Attempt), ((await queue.Task(id))!.Version, done.Attempt));
        Assert.Contains("the task's deadline passed", (await queue.Attempts(id))[^1].Detail, StringComparison.Ordinal);
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task Its_owner_may_cancel_it_in_every_pass()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);
        await simulator.PostFault(new { hang = true }, match: new { model = "critic" });

        var id = await Ask(queue);
        await queue.InState(id, TaskStates.Critiquing);
        await queue.Send(new CancelTask(id));
        await queue.InState(id, TaskStates.Canceled);

        Assert.Null(await queue.Answer(id));
        await queue.AssertLedgerIsSettled();
    }

    private static Task<QueueUnderTest> Start(SimulatorProcess simulator, WorkerOptions? options = null)
    {
        var setup = new QueueSetup
        {
            Catalogue = TestCatalogue.Of(["critic"], new TestModel("first"), new TestModel("critic")), ProviderUrl = simulator.BaseUrl,
        };
        return QueueUnderTest.Start(options is null ? setup : setup with { Options = options });
    }

    private static Task<Guid> Ask(QueueUnderTest queue) =>
        queue.Publish(new LlmTask { Prompt = Question, Kind = "analysis", Complexity = "high", MaxOutputTokens = 100, HighStakes = true });

    private static async Task Says(SimulatorProcess simulator, string model, params string[] answers)
    {
        foreach (var answer in answers)
            await simulator.PostFault(new { say = answer }, times: 1, match: new { model });
    }

    private static async Task Kept(QueueUnderTest queue, Guid id, string reason) =>
        Assert.Contains(reason, Assert.Single(await queue.History(id), h => h.Entry is "DraftKept" or "RevisionKept").Reason,
            StringComparison.Ordinal);
}
