using LlmQueue.Contracts;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Batches;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Lifecycle;

public sealed class BudgetTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private const int Tasks = 60;

    // A call of some 20 + 50 tokens at a cent each; it costs less.
    private const decimal MostACallCosts = 0.8m;

    private static readonly TestModel Dear = new("first") { Price = 10_000m };

    [Fact]
    public async Task Any_number_of_tasks_at_once_never_spend_more_than_the_budget_and_the_rest_waits_for_it()
    {
        const decimal Limit = 6m;
        var simulator = await simulators.Fresh();
        await simulator.Configure(new { latencyMs = new[] { 5, 30 } });
        await using var queue = await QueueUnderTest.Start(
            new QueueSetup { Catalogue = TestCatalogue.Of(Dear), ProviderUrl = simulator.BaseUrl, DailyBudgetUsd = Limit });

        var ids = await Task.WhenAll(Enumerable.Range(0, Tasks).Select(i => queue.Ask($"Question {i}")));
        await Eventually.True("every task is answered or waits for money, and no money is in flight", TimeSpan.FromSeconds(30), async () =>
        {
            var budget = await queue.Budget();
            Assert.True(budget.SpentUsd + budget.InFlightUsd <= Limit,
                $"{budget.SpentUsd} spent and {budget.InFlightUsd} in flight of {Limit}");
            var settled = await queue.Read(
                db => db.Tasks.CountAsync(t => t.State == TaskStates.Completed || t.State == TaskStates.WaitingForBudget));
            return settled == Tasks && budget.InFlightUsd == 0 && Limit - budget.SpentUsd < MostACallCosts;
        });

        var full = await queue.Budget();
        var waiting = await queue.Read(db => db.Tasks.AsNoTracking().Where(t => t.State == TaskStates.WaitingForBudget).ToListAsync());
        Assert.InRange(full.SpentUsd, Limit - MostACallCosts, Limit);
        Assert.InRange(waiting.Count, 1, Tasks - 8);
        Assert.Equal(waiting.Count, full.Waiting);
        Assert.All(waiting, task =>
        {
            Assert.Equal(("budget", full.PeriodEnd), (task.Wait.For, task.Wait.ExpectedAt));
            Assert.Contains("of $6.00 left and the task may cost $0.", task.Wait.Reason, StringComparison.Ordinal);
        });
        await Eventually.True("each said so", TimeSpan.FromSeconds(5), () =>
            waiting.TrueForAll(t => queue.Events<LlmTaskDeferred>().Any(e => e.TaskId == t.CorrelationId && e.WaitingFor == "budget")));

        await queue.Execute("update budgets set limit_usd = 1000");
        queue.Services.GetRequiredService<CapacitySignal>().Send();
        foreach (var id in ids)
            await queue.InState(id, TaskStates.Completed);

        Assert.Equal(Tasks, (await simulator.Log()).Count);
        Assert.Equal(await queue.Read(db => db.Tasks.SumAsync(t => t.CostUsd)), (await queue.Budget()).SpentUsd);
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task One_that_is_rung_for_too_early_waits_on_and_is_counted_once()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await QueueUnderTest.Start(
            new QueueSetup { Catalogue = TestCatalogue.Of(Dear), ProviderUrl = simulator.BaseUrl, DailyBudgetUsd = 0.01m });
        var id = await queue.Ask();
        var waiting = await queue.InState(id, TaskStates.WaitingForBudget);

        for (var version = waiting.Version; version < waiting.Version + 3; version++)
        {
            await queue.Send(new BudgetReleased(id));
            await queue.Becomes(id, "looked at again", t => t.Version > version);
        }

        Assert.Equal(TaskStates.WaitingForBudget, (await queue.Task(id))!.State);
        Assert.Equal(1, (await queue.Budget()).Waiting);
        await queue.Send(new CancelTask(id));
        await queue.InState(id, TaskStates.Canceled);
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task One_that_stood_in_line_when_the_money_ran_out_waits_for_money_and_does_not_turn_in_circles()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await QueueUnderTest.Start(new QueueSetup
        {
            Catalogue = TestCatalogue.Of(Dear with { Tpm = 6000 }), ProviderUrl = simulator.BaseUrl, DailyBudgetUsd = 100m,
        });
        await queue.Execute("update buckets set level_tokens_minute = -200, as_of = now()");
        var ids = await Task.WhenAll(Enumerable.Range(0, 3).Select(i => queue.Ask($"Question {i}", maxOutputTokens: 100)));
        foreach (var id in ids)
            await queue.InState(id, TaskStates.WaitingForCapacity);
        await queue.Execute("update budgets set limit_usd = 0.01");
        queue.Services.GetRequiredService<CapacitySignal>().Send();

        foreach (var id in ids)
            await queue.InState(id, TaskStates.WaitingForBudget);

        Assert.Empty(await simulator.Log());
        foreach (var id in ids)
            Assert.InRange((await queue.History(id)).Count(h => h.Entry == "Deferred"), 2, 3);
        Assert.Equal((3, 0), ((await queue.Budget()).Waiting, Assert.Single(await queue.Buckets()).Waiting));

        await queue.Execute("update budgets set limit_usd = 100");
        queue.Services.GetRequiredService<CapacitySignal>().Send();
        foreach (var id in ids)
            await queue.InState(id, TaskStates.Completed);
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task A_model_without_a_price_is_not_called_under_a_budget_and_says_why()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await QueueUnderTest.Start(new QueueSetup
        {
            Catalogue = TestCatalogue.Of(new TestModel("first") { Price = null }), ProviderUrl = simulator.BaseUrl, DailyBudgetUsd = 5m,
        });

        var waiting = await queue.InState(await queue.Ask(), TaskStates.WaitingForBudget);

        Assert.Contains("the price of groq:first is unknown and the budget", waiting.Wait.Reason, StringComparison.Ordinal);
        Assert.Empty(await simulator.Log());
    }

    [Fact]
    public async Task At_the_limit_tasks_are_rejected_where_that_is_wanted()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await QueueUnderTest.Start(new QueueSetup
        {
            Catalogue = TestCatalogue.Of(Dear), ProviderUrl = simulator.BaseUrl, DailyBudgetUsd = 0.01m,
            Options = new WorkerOptions { RescueEvery = TimeSpan.FromMilliseconds(500), RejectAtBudgetLimit = true },
        });

        var rejected = await queue.InState(await queue.Ask(), TaskStates.Rejected);

        Assert.Contains("of $0.01 left and the task may cost $0.", rejected.FailureReason, StringComparison.Ordinal);
        Assert.Contains("BUDGET_AT_LIMIT", rejected.FailureReason, StringComparison.Ordinal);
        Assert.Empty(await simulator.Log());
    }
}
