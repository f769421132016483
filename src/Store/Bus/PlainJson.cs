using System.Net.Mime;
using System.Runtime.Serialization;
using System.Text.Json;
using MassTransit;
using MassTransit.Context;
using MassTransit.Serialization;

namespace LlmQueue.Store.Bus;

/// <summary>
/// Reads plain JSON from producers without .NET as one message type. MassTransit's own raw reader would take a body without type headers
/// for every message type the endpoint knows; on an intake endpoint exactly one can be meant.
/// </summary>
public sealed class PlainJson<TMessage> : ISerializerFactory, IMessageDeserializer
    where TMessage : class
{
    private const RawSerializerOptions Options = RawSerializerOptions.Default;
    private static readonly string[] MessageTypes = [MessageUrn.ForTypeString<TMessage>()];

    public ContentType ContentType => SystemTextJsonRawMessageSerializer.JsonContentType;

    public IMessageSerializer CreateSerializer() => new SystemTextJsonRawMessageSerializer(Options);

    public IMessageDeserializer CreateDeserializer() => this;

    public void Probe(ProbeContext context) => context.CreateScope("plainJson").Add("contentType", ContentType.MediaType);

    public ConsumeContext Deserialize(ReceiveContext receiveContext) =>
        new BodyConsumeContext(receiveContext, Deserialize(receiveContext.Body, receiveContext.TransportHeaders, receiveContext.InputAddress));

    public SerializerContext Deserialize(MessageBody body, Headers headers, Uri? destinationAddress = null)
    {
        JsonElement element;
        try
        {
            element = JsonSerializer.Deserialize<JsonElement>(body.GetBytes(), SystemTextJsonMessageSerializer.Options);
        }
        catch (JsonException e)
        {
            throw new SerializationException($"The message is not JSON: {e.Message} Expected the fields of {typeof(TMessage).Name} as one JSON object, for example {{\"prompt\": \"…\"}}.", e);
        }

        if (element.ValueKind != JsonValueKind.Object)
            throw new SerializationException($"The message is a JSON {element.ValueKind}, expected one JSON object with the fields of {typeof(TMessage).Name}.");
        return new SystemTextJsonRawSerializerContext(SystemTextJsonMessageSerializer.Instance, SystemTextJsonMessageSerializer.Options, ContentType,
            new RawMessageContext(headers, destinationAddress, Options), MessageTypes, Options, element);
    }

    public MessageBody GetMessageBody(string text) => new StringMessageBody(text);
}
