using LlmQueue.Storage.Budgets;
using LlmQueue.Storage.Ledger;
using LlmQueue.Tests.Harness;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.HostileTenant;

/// <summary>Two processes on one database: what is set or learned in one counts in the other within two seconds.</summary>
public sealed class LimitRefreshTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(2);
    private static readonly string Catalogue = TestCatalogue.Of(new TestModel("small"));

    [Fact]
    public async Task A_budget_set_in_one_process_binds_in_another()
    {
        var simulator = await simulators.Fresh();
        await using var asked = await QueueUnderTest.Start(new QueueSetup { Catalogue = Catalogue, ProviderUrl = simulator.BaseUrl });
        await using var other = await QueueUnderTest.Start(
            new QueueSetup { Catalogue = Catalogue, ProviderUrl = simulator.BaseUrl, Database = asked.Database });
        var (budgets, views) = (other.Services.GetRequiredService<BudgetRepository>(), other.Services.GetRequiredService<LimitViews>());
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        Assert.DoesNotContain(budgets.Of("acme", null, null, now), id => id.StartsWith("tenant:acme", StringComparison.Ordinal));

        await asked.Services.GetRequiredService<BudgetRepository>().Set("tenant:acme", "day", 0.000001m, TestContext.Current.CancellationToken);

        await Eventually.True("the other process draws on the budget of acme", Soon, () =>
            budgets.Of("acme", null, null, now).FirstOrDefault(id => id.StartsWith("tenant:acme", StringComparison.Ordinal)) is { } id
                && views.Budget(id)?.LeftUsd == 0.000001m);
    }

    [Fact]
    public async Task A_model_that_one_process_has_enabled_again_is_asked_by_the_others()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await QueueUnderTest.Start(new QueueSetup { Catalogue = Catalogue, ProviderUrl = simulator.BaseUrl });
        var view = queue.Services.GetRequiredService<LimitViews>().Buckets.Single();

        await queue.Execute("update buckets set disabled_reason = 'the model is gone: tried by a test'");
        await Eventually.True("it is known here that the model is gone", Soon, () => view.WhyDisabled is not null);
        await queue.Execute("update buckets set disabled_reason = null");

        await Eventually.True("it is known here that the model is back", Soon, () => view.WhyDisabled is null);
    }
}
