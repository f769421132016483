using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Harness;
using LlmQueue.Tests.Lifecycle;
using LlmQueue.Worker.Leases;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Recovery;

/// <summary>A wish to cancel is a row before it is a message.</summary>
public sealed class CancellationTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private const string Wishes = "select count(*) from cancellations";

    [Fact]
    public async Task A_cancel_whose_message_is_lost_is_met_by_the_next_sweep_and_then_forgotten()
    {
        await using var queue = await Start();
        var lost = new Lost();
        using var losing = queue.Services.GetRequiredService<IBus>().ConnectSendObserver(lost);
        var task = await StatedRows.Insert(queue, TaskStates.WaitingToRetry);

        await queue.Services.GetRequiredService<Cancellations>().Task(task.CorrelationId, TestContext.Current.CancellationToken);
        Assert.Equal(1, lost.Count);
        Assert.Equal(TaskStates.WaitingToRetry, (await queue.Task(task.CorrelationId))!.State);
        losing.Disconnect();

        var rescuer = queue.Services.GetRequiredService<Rescuer>();
        await rescuer.Sweep(afterStart: false, TestContext.Current.CancellationToken);
        await queue.InState(task.CorrelationId, TaskStates.Canceled);
        Assert.Equal(1, await queue.Scalar<long>(Wishes));
        await rescuer.Sweep(afterStart: false, TestContext.Current.CancellationToken);
        Assert.Equal(0, await queue.Scalar<long>(Wishes));
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task A_cancel_that_comes_too_late_or_twice_is_forgotten_and_changes_nothing()
    {
        await using var queue = await Start();
        var ended = await StatedRows.Insert(queue, TaskStates.Completed);
        var cancellations = queue.Services.GetRequiredService<Cancellations>();

        await cancellations.Task(ended.CorrelationId, TestContext.Current.CancellationToken);
        await cancellations.Task(ended.CorrelationId, TestContext.Current.CancellationToken);
        Assert.Equal(1, await queue.Scalar<long>(Wishes));
        await queue.Services.GetRequiredService<Rescuer>().Sweep(afterStart: false, TestContext.Current.CancellationToken);

        Assert.Equal(0, await queue.Scalar<long>(Wishes));
        Assert.Equal((TaskStates.Completed, StatedRows.Version),
            ((await queue.Task(ended.CorrelationId))!.State, (await queue.Task(ended.CorrelationId))!.Version));
    }

    private async Task<QueueUnderTest> Start() =>
        await QueueUnderTest.Start(new QueueSetup
        {
            Catalogue = TestCatalogue.Of(new TestModel("first"), new TestModel("second")), ProviderUrl = (await simulators.Fresh()).BaseUrl,
        });

    /// <summary>A broker that is away: the sender gets an error, and nobody the message.</summary>
    private sealed class Lost : ISendObserver
    {
        public int Count { get; private set; }

        public Task PreSend<T>(SendContext<T> context) where T : class
        {
            Count++;
            throw new InvalidOperationException("lost by the test");
        }

        public Task PostSend<T>(SendContext<T> context) where T : class => Task.CompletedTask;

        public Task SendFault<T>(SendContext<T> context, Exception exception) where T : class => Task.CompletedTask;
    }
}
