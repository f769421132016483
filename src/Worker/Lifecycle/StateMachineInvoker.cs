using System.Diagnostics.CodeAnalysis;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Calling;
using LlmQueue.Worker.Calling.Claiming;
using LlmQueue.Worker.Outcomes;
using MassTransit;
using MassTransit.Configuration;
using MassTransit.Context;
using MassTransit.Middleware;
using MassTransit.Saga;

namespace LlmQueue.Worker.Lifecycle;

/// <summary>
/// Raises an event to the task's state machine in this process, through the same repository and the same machine as a message would. A
/// message would cost a hop, and a paid answer would exist in it alone between two commits.
/// </summary>
public sealed class StateMachineInvoker(TaskStateMachine machine, ISagaRepositoryContextFactory<TaskRow> repository) : IOutcomeReceiver
{
    private readonly IPipe<SagaConsumeContext<TaskRow, CallFinished>> _pipe = Pipe.New<SagaConsumeContext<TaskRow, CallFinished>>(pipe =>
        pipe.AddPipeSpecification(new FilterPipeSpecification<SagaConsumeContext<TaskRow, CallFinished>>(new EventFilter(machine))));

    public Task Raise(ConsumeContext context, CallFinished finished)
    {
        var message = new MessageConsumeContext<CallFinished>(context, finished);
        var policy = new AnyExistingSagaPolicy<TaskRow, CallFinished>();
        return repository.Send(
            new CorrelationIdConsumeContextProxy<CallFinished>(message, finished.TaskId),
            new SendSagaPipe<TaskRow, CallFinished>(policy, _pipe, finished.TaskId));
    }

    public Task Raise(LocalCall call, CallFinished finished)
    {
        // The row as this process wrote it when it opened the attempt spares a read; of a commit that is in doubt it may not be what
        // stands.
        var context = call.IsDoubted ? new DetachedConsumeContext(call.Cause) : new DetachedConsumeContext(call.Cause, call.Task);
        return Raise(context, finished);
    }

    private sealed class EventFilter(TaskStateMachine machine) : IFilter<SagaConsumeContext<TaskRow, CallFinished>>
    {
        private readonly StateMachineSagaMessageFilter<TaskRow, CallFinished> _filter = new(machine, machine.Finished);

        public Task Send(SagaConsumeContext<TaskRow, CallFinished> context, IPipe<SagaConsumeContext<TaskRow, CallFinished>> next) =>
            _filter.Send(context, next);

        public void Probe(ProbeContext context) => context.CreateFilterScope("callFinished");
    }
}

/// <summary>
/// A consume context for an event that no message brought: it carries payloads, which is all that a repository and a state machine ask of
/// it. Members that concern a delivery (answering it, publishing from it) throw, as they do where MassTransit itself has none.
/// </summary>
/// <param name="cause">The delivery, over by now, that led to it: MassTransit's wrappers read it when they are made, and use it only to
/// answer.</param>
/// <param name="payloads">What it carries.</param>
internal sealed class DetachedConsumeContext(ConsumeContext cause, params object[] payloads)
    : MissingConsumeContext, ConsumeContext, MessageContext, PipeContext
{
    private readonly Payloads _payloads = new(payloads);

    ReceiveContext ConsumeContext.ReceiveContext { get; } = cause.ReceiveContext;
    SerializerContext ConsumeContext.SerializerContext { get; } = cause.SerializerContext;
    CancellationToken PipeContext.CancellationToken => CancellationToken.None;
    Guid? MessageContext.MessageId => null;
    Guid? MessageContext.CorrelationId => null;
    Guid? MessageContext.ConversationId => null;

    bool PipeContext.HasPayloadType(Type payloadType) => _payloads.HasPayloadType(payloadType);

    bool PipeContext.TryGetPayload<T>([NotNullWhen(true)] out T? payload) where T : class =>
        _payloads.TryGetPayload(out payload);

    T PipeContext.GetOrAddPayload<T>(PayloadFactory<T> payloadFactory) => _payloads.GetOrAddPayload(payloadFactory);

    T PipeContext.AddOrUpdatePayload<T>(PayloadFactory<T> addFactory, UpdatePayloadFactory<T> updateFactory) =>
        _payloads.AddOrUpdatePayload(addFactory, updateFactory);

    private sealed class Payloads(object[] payloads) : BasePipeContext(payloads);
}
