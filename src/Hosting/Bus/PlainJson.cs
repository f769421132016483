using System.Net.Mime;
using System.Runtime.Serialization;
using System.Text.Json;
using MassTransit;
using MassTransit.Context;
using MassTransit.Serialization;

namespace LlmQueue.Hosting.Bus;

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
        new BodyConsumeContext(receiveContext,
            Deserialize(receiveContext.Body, receiveContext.TransportHeaders, receiveContext.InputAddress));

    public SerializerContext Deserialize(MessageBody body, Headers headers, Uri? destinationAddress = null)
    {
        // Thrown without a cause inside: the error queue shows the innermost message, and these sentences are the ones that help.
        if (!TryRead(body, out var element, out var problem))
            throw new SerializationException($"The message is not JSON: {problem} Expected the fields of {typeof(TMessage).Name} as one "
                + "JSON object, for example {\"prompt\": \"…\"}.");
        if (element.ValueKind != JsonValueKind.Object)
            throw new SerializationException(
                $"The message is a JSON {element.ValueKind}, expected one JSON object with the fields of {typeof(TMessage).Name}.");
        if (WhatDoesNotFit(element) is { } misfit)
            throw new SerializationException($"A field of the message does not fit {typeof(TMessage).Name}: {misfit}");
        return new SystemTextJsonRawSerializerContext(SystemTextJsonMessageSerializer.Instance, SystemTextJsonMessageSerializer.Options,
            ContentType,
            new RawMessageContext(headers, destinationAddress, Options), MessageTypes, Options, element);
    }

    private static bool TryRead(MessageBody body, out JsonElement element, out string problem)
    {
        try
        {
            (element, problem) = (JsonSerializer.Deserialize<JsonElement>(body.GetBytes(), SystemTextJsonMessageSerializer.Options), "");
            return true;
        }
        catch (JsonException e)
        {
            (element, problem) = (default, e.Message);
            return false;
        }
    }

    /// <summary>
    /// Reads the message once more than needed: read later, a field of the wrong kind would be reported without its name.
    /// </summary>
    private static string? WhatDoesNotFit(JsonElement element)
    {
        try
        {
            _ = element.Deserialize<TMessage>(SystemTextJsonMessageSerializer.Options);
            return null;
        }
        catch (JsonException e)
        {
            return e.Message;
        }
    }

    public MessageBody GetMessageBody(string text) => new StringMessageBody(text);
}
