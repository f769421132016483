using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Calling;
using LlmQueue.Worker.Outcomes;
using MassTransit;
using MassTransit.Configuration;
using MassTransit.Context;
using MassTransit.Middleware;
using MassTransit.Saga;

namespace LlmQueue.Worker.Lifecycle;

/// <summary>
/// Raises an event to the task's machine in this process, through the same repository and the same machine as a message would.
/// A message would cost a hop and leave a paid answer in the air between two commits.
/// </summary>
public sealed class StateMachineInvoker(TaskStateMachine machine, ISagaRepositoryContextFactory<TaskRow> repository)
{
    private readonly IPipe<SagaConsumeContext<TaskRow, CallFinished>> _pipe = Pipe.New<SagaConsumeContext<TaskRow, CallFinished>>(pipe =>
        pipe.AddPipeSpecification(new FilterPipeSpecification<SagaConsumeContext<TaskRow, CallFinished>>(new EventFilter(machine))));

    public Task Raise(ConsumeContext context, CallFinished finished)
    {
        var consume = new CorrelationIdConsumeContextProxy<CallFinished>(new MessageConsumeContext<CallFinished>(context, finished), finished.TaskId);
        return repository.Send(consume, new SendSagaPipe<TaskRow, CallFinished>(new AnyExistingSagaPolicy<TaskRow, CallFinished>(), _pipe, finished.TaskId));
    }

    /// <summary>The outcome of a call that no message rang for.</summary>
    /// <param name="call">The call, with the row as this process wrote it when it opened the attempt.</param>
    /// <param name="finished">The outcome.</param>
    public Task Raise(LocalCall call, CallFinished finished) => Raise(call.IsDoubted ? new DetachedConsumeContext(call.Cause) : new DetachedConsumeContext(call.Cause, call.Task), finished);

    private sealed class EventFilter(TaskStateMachine machine) : IFilter<SagaConsumeContext<TaskRow, CallFinished>>
    {
        private readonly StateMachineSagaMessageFilter<TaskRow, CallFinished> _filter = new(machine, machine.Finished);

        public Task Send(SagaConsumeContext<TaskRow, CallFinished> context, IPipe<SagaConsumeContext<TaskRow, CallFinished>> next) => _filter.Send(context, next);

        public void Probe(ProbeContext context) => context.CreateFilterScope("callFinished");
    }
}
