using MassTransit;

namespace LlmQueue.Storage.Sagas;

/// <summary>Determines the id of a saga whose producer may not have given one.</summary>
public static class MessageIdentity
{
    /// <summary>The producer's id, else the message's, else one that is made once for this delivery.</summary>
    public static Guid Of(ConsumeContext context, Guid? given) => given is { } id && id != Guid.Empty
        ? id
        : context.MessageId ?? context.GetOrAddPayload(() => new GeneratedId(Guid.CreateVersion7())).Id;

    private sealed record GeneratedId(Guid Id);
}
