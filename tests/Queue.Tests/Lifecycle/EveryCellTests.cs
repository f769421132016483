using System.Collections.Concurrent;
using System.Text;
using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker.Calling;
using LlmQueue.Worker.Outcomes;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Lifecycle;

/// <summary>
/// Every event in every state, with the current attempt and with an old one, through the real machine and the real repository.
/// </summary>
public sealed class EveryCellTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private const string Granted = "WaitingForCapacity, granted";

    private static readonly IReadOnlyList<(string Event, Func<Guid, int, object> Message)> Events =
    [
        ("Received", (id, _) => new LlmTask { Id = id, Prompt = "Why?", Kind = "analysis", Complexity = "low" }),
        ("Started", (id, _) => new StartTask(id)),
        ("Granted", (id, attempt) => new CapacityGranted(id, attempt + 1)),
        ("MoneyReleased", (id, _) => new BudgetReleased(id)),
        ("DelayElapsed", (id, attempt) => new RetryDelayElapsed(id, attempt)),
        ("Finished", (id, attempt) => new FinishCall(id, attempt)),
        ("LeaseRanOut", (id, attempt) => new LeaseExpired(id, attempt)),
        ("CancelAsked", (id, _) => new CancelTask(id)),
        ("DeadlineReached", (id, _) => new DeadlinePassed(id)),
    ];

    [Fact]
    public async Task No_event_in_any_state_is_a_fault_and_what_each_does_is_approved()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await QueueUnderTest.Start(new QueueSetup
        {
            Catalogue = TestCatalogue.Of(new TestModel("first"), new TestModel("second")), ProviderUrl = simulator.BaseUrl,
            // CallFinished is raised within a worker and is no message: this one stands for it.
            Endpoints = (context, bus) => bus.ReceiveEndpoint("finish-call",
                e => e.Handler<FinishCall>(consumed => context.GetRequiredService<IOutcomeReceiver>().Raise(consumed,
                new CallFinished(consumed.Message.TaskId, consumed.Message.Attempt,
                    new CallOutcome.Answered("An answer", 10, 5, null, CutShort: false), "groq-1", TimeSpan.FromMilliseconds(1), null)))),
        });
        var watch = new Watch();
        using var connected = queue.Services.GetRequiredService<IBus>().ConnectConsumeObserver(watch);
        var text = new StringBuilder();
        foreach (var state in TaskStates.All.SelectMany(s => s == TaskStates.WaitingForCapacity ? [s, Granted] : new[] { s }))
        {
            text.Append(state).Append('\n');
            foreach (var (name, message) in Events)
                text.Append($"  {name,-16}{await Drive(queue, watch, state, message, old: false),-40} old attempt: "
                    + $"{await Drive(queue, watch, state, message, old: true)}\n");
        }

        Assert.Empty(watch.Faults);
        Approval.Verify("task-lifecycle-driven.txt", text.ToString());
    }

    private static async Task<string> Drive(QueueUnderTest queue, Watch watch, string state, Func<Guid, int, object> make, bool old)
    {
        var row = await StatedRows.Insert(queue, state == Granted ? TaskStates.WaitingForCapacity : state, granted: state == Granted);
        var message = make(row.CorrelationId, old ? row.Attempt - 1 : row.Attempt);
        var sent = Guid.NewGuid();
        var address = message switch { LlmTask => "queue:llm-tasks", FinishCall => "queue:finish-call", _ => "queue:llm-task-lifecycle" };
        var endpoint = await queue.Services.GetRequiredService<IBus>().GetSendEndpoint(new Uri(address));
        await endpoint.Send(message, message.GetType(), Pipe.Execute<SendContext>(c => c.MessageId = sent),
            TestContext.Current.CancellationToken);
        await watch.Consumed(sent);
        // It changes nothing and rings again; what the bell does next would be seen here or not.
        if (message is LlmTask)
            return "no fault";
        // The transition is the next version; what follows from it (a call and its answer) has later ones.
        var entries = (await queue.History(row.CorrelationId)).Where(h => h.Version == StatedRows.Version + 1).ToList();
        return entries.Count > 0 ? string.Join(", ", entries.Select(h => h.Entry)) : "nothing";
    }

    public sealed record FinishCall(Guid TaskId, int Attempt);

    private sealed class Watch : IConsumeObserver
    {
        private readonly ConcurrentDictionary<Guid, TaskCompletionSource> consumed = new();

        public ConcurrentQueue<string> Faults { get; } = new();

        public Task Consumed(Guid message) =>
            Of(message).Task.WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System, TestContext.Current.CancellationToken);

        public Task PreConsume<T>(ConsumeContext<T> context) where T : class => Task.CompletedTask;

        public Task PostConsume<T>(ConsumeContext<T> context) where T : class
        {
            Of(context.MessageId!.Value).TrySetResult();
            return Task.CompletedTask;
        }

        public Task ConsumeFault<T>(ConsumeContext<T> context, Exception exception) where T : class
        {
            Faults.Enqueue($"{typeof(T).Name}: {exception.GetType().Name}: {exception.Message}");
            Of(context.MessageId!.Value).TrySetResult();
            return Task.CompletedTask;
        }

        private TaskCompletionSource Of(Guid message) =>
            consumed.GetOrAdd(message, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
    }
}
