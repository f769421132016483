using LlmQueue.Contracts;
using LlmQueue.Storage.Rankings;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker.Ranking;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Ranking;

/// <summary>The ranking in a running queue: runs are counted where they are settled, and decide where the next task goes.</summary>
public sealed class LearnedRankingTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    [Fact]
    public async Task Two_hundred_tasks_show_it_the_better_model_and_two_hundred_more_that_they_have_swapped()
    {
        var simulator = await simulators.Fresh();
        await Errors(simulator, weak: 0.30, strong: 0.05);
        await using var queue = await QueueUnderTest.Start(Setup(simulator));

        await Serve(queue, 200);
        var better = await Serve(queue, 50);
        Assert.True(better.Count(m => m == "groq:strong") >= 40, $"{better.Count(m => m == "groq:strong")} of 50 went to the better one");
        var calls = await queue.Scalar<long>("select count(*) from attempts where model = 'groq:weak' and why like '%sampled%'");
        Assert.True(calls > 0, "the other is not sampled");

        await simulator.ClearFaults();
        await Errors(simulator, weak: 0.05, strong: 0.30);
        await Serve(queue, 200);
        var swapped = await Serve(queue, 50);
        Assert.True(swapped.Count(m => m == "groq:weak") >= 40,
            $"{swapped.Count(m => m == "groq:weak")} of 50 went to the one that is better now");
        Assert.Contains("ranking: ",
            await queue.Scalar<string>("select why from attempts where why like '%ranking:%' order by created_at desc limit 1"),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_learned_is_there_after_a_restart_and_with_the_switch_off_no_route_is_changed()
    {
        var simulator = await simulators.Fresh();
        await Errors(simulator, weak: 1, strong: 0);
        var setup = Setup(simulator);
        await using (var before = await QueueUnderTest.Start(setup))
        {
            await Serve(before, 20);
            setup = setup with { Database = before.Database };
        }

        await using (var after = await QueueUnderTest.Start(setup))
        {
            var ordered = after.Services.GetRequiredService<ModelRanking>()
                .Order(new TaskRow { Kind = "analysis", HighStakes = true }, ["groq:weak", "groq:strong"]);
            Assert.Equal(["groq:strong", "groq:weak"], ordered.Models);
            var view = Assert.Single(
                await after.Services.GetRequiredService<RankingViews>().Read(null, TestContext.Current.CancellationToken));
            Assert.Equal(("all", "analysis", "groq:strong"), (view.Subject, view.Kind, view.BestModel));
            Assert.Equal(0, view.Models.Single(m => m.Model == "groq:weak").SuccessRate);
        }

        await using var off = await QueueUnderTest.Start(setup with { Options = setup.Options with { Ranking = false } });
        Assert.Equal(["groq:weak"], (await Serve(off, 3)).Distinct());
    }

    [Fact]
    public async Task A_named_model_is_never_replaced_and_agents_are_learned_apart()
    {
        var simulator = await simulators.Fresh();
        await Errors(simulator, weak: 1, strong: 0);
        await using var queue = await QueueUnderTest.Start(Setup(simulator));
        await Serve(queue, 20, agent: "clerk");

        var named = await queue.Publish(new LlmTask
        {
            Prompt = "Why?", Kind = "analysis", Complexity = "low", MaxOutputTokens = 50, Agent = "clerk", Model = "groq:weak",
        });
        Assert.Equal(["groq:weak"], (await queue.Ended(named)).Route.Chain is { IsNobody: false } chain
            ? chain.Names
            : (await queue.Attempts(named)).Select(a => a.Model).Distinct());

        var ranking = queue.Services.GetRequiredService<ModelRanking>();
        Assert.Null(ranking.Order(new TaskRow { Kind = "analysis" }, ["groq:weak", "groq:strong"]).Why);
        Assert.Equal("groq:strong",
            ranking.Order(new TaskRow { Kind = "analysis", Agent = "clerk", HighStakes = true }, ["groq:weak", "groq:strong"]).Models[0]);
        Assert.Null(ranking.Order(new TaskRow { Kind = "analysis", Agent = "clerk", Tenant = "other", HighStakes = true },
            ["groq:weak", "groq:strong"]).Why);
    }

    [Fact]
    public async Task Two_workers_add_up_what_they_have_seen()
    {
        var simulator = await simulators.Fresh();
        var setup = Setup(simulator);
        await using var one = await QueueUnderTest.Start(setup);
        await using var other = await QueueUnderTest.Start(setup with { Database = one.Database });
        var task = new TaskRow { Kind = "code" };
        var (first, second) = (one.Services.GetRequiredService<ModelRanking>(), other.Services.GetRequiredService<ModelRanking>());
        for (var i = 0; i < 6; i++)
        {
            first.Learn(task, "groq:weak", new LlmQueue.Worker.Outcomes.CallOutcome.Unreachable("gone"), TimeSpan.FromSeconds(1));
            second.Learn(task, "groq:strong", new LlmQueue.Worker.Outcomes.CallOutcome.Answered("yes", 1, 1, null, CutShort: false),
                TimeSpan.FromSeconds(1));
            // Not a word about the model.
            second.Learn(task, "groq:weak", new LlmQueue.Worker.Outcomes.CallOutcome.KeyRefused("no"), TimeSpan.FromSeconds(1));
        }

        Assert.Null(first.Order(task, ["groq:weak", "groq:strong"]).Why);
        await first.Share(TestContext.Current.CancellationToken);
        await second.Share(TestContext.Current.CancellationToken);
        second.Rate(task, "groq:strong", 1);
        await second.Share(TestContext.Current.CancellationToken);

        task.HighStakes = true;
        Assert.Equal(["groq:strong", "groq:weak"], second.Order(task, ["groq:weak", "groq:strong"]).Models);
        Assert.Equal((12L, 6L, 6L), (await Runs(one, ""), await Runs(one, "groq:weak"), await Runs(one, "groq:strong")));
        Assert.Equal(1.0, await one.Scalar<double>("select quality from rankings where model = 'groq:strong'"));
        // Six successes in a row, each fading once for every later run of the kind, whoever made it.
        Assert.Equal(Enumerable.Range(0, 6).Sum(i => Math.Pow(RankingRule.Fading, i)),
            await one.Scalar<double>("select successes from rankings where model = 'groq:strong'"), 6);
    }

    private static Task<long> Runs(QueueUnderTest queue, string model) =>
        queue.Scalar<long>("select runs from rankings where model = $1", model);

    /// <summary>The model each of them was sent to first.</summary>
    private static async Task<List<string>> Serve(QueueUnderTest queue, int tasks, string? agent = null)
    {
        var first = new List<string>();
        // A few at a time: what is learned of one task decides the next ones.
        for (var done = 0; done < tasks; done += 5)
        {
            var ids = await Task.WhenAll(Enumerable.Range(0, Math.Min(5, tasks - done)).Select(_ => queue.Publish(new LlmTask
            {
                Prompt = "Why is the sky blue?", Kind = "analysis", Complexity = "low", MaxOutputTokens = 50, Agent = agent,
            })));
            foreach (var id in ids)
            {
                await queue.Ended(id);
                first.Add((await queue.Attempts(id))[0].Model);
            }
        }

        return first;
    }

    private static async Task Errors(SimulatorProcess simulator, double weak, double strong)
    {
        // An empty answer is a fault of the model alone, and opens no breaker of its provider.
        await simulator.PostFault(new { empty = true }, match: new { model = "weak" }, share: weak);
        if (strong > 0)
            await simulator.PostFault(new { empty = true }, match: new { model = "strong" }, share: strong);
    }

    private static QueueSetup Setup(SimulatorProcess simulator) =>
        new() { Catalogue = TestCatalogue.Of(new TestModel("weak"), new TestModel("strong")), ProviderUrl = simulator.BaseUrl };
}
