using LlmQueue.Store.Rows;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker;
using LlmQueue.Worker.Calling;
using LlmQueue.Worker.Upkeep;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Calling;

/// <summary>A worker that opens an attempt keeps its call where it has a place free; else whoever has one takes it. Either way it is called once.</summary>
public sealed class OwnCallTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private static readonly WorkerOptions Quick = new() { CallTimeout = TimeSpan.FromSeconds(20), FirstBackOff = TimeSpan.FromMilliseconds(20), RescueEvery = TimeSpan.FromMilliseconds(500) };

    [Fact]
    public async Task A_call_is_claimed_in_the_commit_that_opens_its_attempt()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator, Quick);

        var id = await queue.Ask();
        await queue.InState(id, TaskStates.Completed);

        var attempt = Assert.Single(await queue.Attempts(id));
        Assert.Equal((queue.Services.GetRequiredService<WorkerIdentity>().Id, attempt.CreatedAt), (attempt.Worker, attempt.StartedAt));
        Assert.Single(await simulator.Log());
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task With_every_place_taken_a_call_waits_for_one_by_its_message()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator, Quick with { ConcurrentCalls = 1 });
        await simulator.PostFault(new { hang = true }, times: 1);

        var first = await queue.Ask("Which one hangs?");
        await Eventually.True("the first is called", TimeSpan.FromSeconds(10), async () => (await simulator.Statistics()).InFlight == 1);
        var second = await queue.Ask("Which one waits?");
        await queue.InState(second, TaskStates.Calling);
        Assert.Null(Assert.Single(await queue.Attempts(second)).StartedAt);
        await simulator.Reset();

        await queue.InState(second, TaskStates.Completed);
        await queue.InState(first, TaskStates.Completed);
        var attempt = Assert.Single(await queue.Attempts(second));
        Assert.True(attempt.StartedAt > attempt.CreatedAt, "the second was claimed when it was opened, although there was no place");
        await queue.AssertLedgerIsSettled();
    }

    /// <summary>A commit whose answer was lost comes back as a conflict, and perhaps it stands: the same worker takes the claim up again by its moment, and no other moment will do.</summary>
    [Fact]
    public async Task A_claim_whose_commit_is_in_doubt_is_known_again_by_its_moment()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator, Quick);
        await simulator.PostFault(new { hang = true });
        var id = await queue.Ask();
        await Eventually.True("it is called", TimeSpan.FromSeconds(10), async () => (await simulator.Statistics()).InFlight == 1);
        var attempt = Assert.Single(await queue.Attempts(id));
        var claims = queue.Services.GetRequiredService<Claims>();

        Assert.Null(await claims.Take(id, 1));
        Assert.Null(await claims.Take(id, 1, attempt.StartedAt!.Value.AddMilliseconds(1)));
        Assert.Equal(id, (await claims.Take(id, 1, attempt.StartedAt))?.TaskId);
    }

    [Fact]
    public async Task A_worker_that_stops_waits_for_the_calls_it_kept()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { delayMs = 1500 }, times: 1);
        Guid id;
        string database;
        await using (var queue = await Start(simulator, Quick))
        {
            database = queue.Database;
            id = await queue.Ask();
            await Eventually.True("it is called", TimeSpan.FromSeconds(10), async () => (await simulator.Statistics()).InFlight == 1);
        }

        await using var reader = await QueueUnderTest.Start(Setup(simulator, Quick) with { Database = database });
        var task = await reader.Task(id);
        Assert.Equal((TaskStates.Completed, 1), (task!.State, task.Attempt));
        Assert.Single(await simulator.Log());
    }

    private static Task<QueueUnderTest> Start(SimulatorProcess simulator, WorkerOptions options) => QueueUnderTest.Start(Setup(simulator, options));

    private static QueueSetup Setup(SimulatorProcess simulator, WorkerOptions options) => new() { Catalogue = TestCatalogue.Of(new TestModel("first")), ProviderUrl = simulator.BaseUrl, Options = options };
}
