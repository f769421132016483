using System.Diagnostics.CodeAnalysis;
using MassTransit;
using MassTransit.Context;
using MassTransit.Middleware;

namespace LlmQueue.Worker.Lifecycle;

/// <summary>
/// The context of an event that no message brought: it carries payloads, which is all that a repository and a machine ask of it. Whatever has to do with a delivery
/// (answering it, publishing from it) throws, as it does where MassTransit itself misses one.
/// </summary>
/// <param name="cause">The delivery, over by now, that led to it: MassTransit's wrappers read it when they are made, and use it only to answer.</param>
/// <param name="payloads">What it carries.</param>
internal sealed class DetachedConsumeContext(ConsumeContext cause, params object[] payloads) : MissingConsumeContext, ConsumeContext, MessageContext, PipeContext
{
    private readonly Payloads _payloads = new(payloads);

    ReceiveContext ConsumeContext.ReceiveContext { get; } = cause.ReceiveContext;
    SerializerContext ConsumeContext.SerializerContext { get; } = cause.SerializerContext;
    CancellationToken PipeContext.CancellationToken => CancellationToken.None;
    Guid? MessageContext.MessageId => null;
    Guid? MessageContext.CorrelationId => null;
    Guid? MessageContext.ConversationId => null;

    bool PipeContext.HasPayloadType(Type payloadType) => _payloads.HasPayloadType(payloadType);

    bool PipeContext.TryGetPayload<T>([NotNullWhen(true)] out T? payload) where T : class => _payloads.TryGetPayload(out payload);

    T PipeContext.GetOrAddPayload<T>(PayloadFactory<T> payloadFactory) => _payloads.GetOrAddPayload(payloadFactory);

    T PipeContext.AddOrUpdatePayload<T>(PayloadFactory<T> addFactory, UpdatePayloadFactory<T> updateFactory) => _payloads.AddOrUpdatePayload(addFactory, updateFactory);

    private sealed class Payloads(object[] payloads) : BasePipeContext(payloads);
}
