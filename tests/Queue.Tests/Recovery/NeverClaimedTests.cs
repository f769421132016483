using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker.Leases;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Recovery;

/// <summary>A call that no worker takes: its provider's key was taken out, or the catalogue dropped its model.</summary>
public sealed class NeverClaimedTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    [Fact]
    public async Task The_task_moves_on_and_nothing_is_charged()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await QueueUnderTest.Start(
            new QueueSetup { Catalogue = TestCatalogue.Of(new TestModel("small")), ProviderUrl = simulator.BaseUrl });
        await simulator.PostFault(new { hang = true }, match: new { model = "small" }, times: 1);
        var id = await queue.Ask();
        await queue.InState(id, TaskStates.Calling);
        await Eventually.True("the call is claimed", TimeSpan.FromSeconds(10), async () => (await queue.Attempts(id))[0].Worker is not null);
        // As it would be if nobody had ever had the key.
        await queue.Execute("update attempts set worker = null, started_at = null, created_at = now() - interval '1 hour'");

        await queue.Services.GetRequiredService<Rescuer>().Sweep(afterStart: false, TestContext.Current.CancellationToken);

        await queue.Ended(id);
        var attempts = await queue.Attempts(id);
        Assert.Equal(("held back", 0m), (attempts[0].Outcome, attempts[0].CostUsd ?? 0));
        Assert.Contains("no worker took the call", attempts[0].Detail, StringComparison.Ordinal);
        Assert.Equal("answered", attempts[1].Outcome);
    }
}
