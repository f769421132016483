using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Worker.Calling.Providers;

namespace LlmQueue.Worker.Calling.Wire;

/// <summary>Writes the body of a chat completion for one provider. Pure.</summary>
internal static class RequestBody
{
    public static byte[] Of(ProviderRequest request, OpenAiCompatibleProvider provider)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteString("model", request.Model);
            json.WriteStartArray("messages");
            // A message is kept as it goes on the wire.
            foreach (var message in request.Messages)
            {
                json.WriteStartObject();
                WriteMessage(json, message);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteNumber(provider.MaxTokensParameter, request.MaxOutputTokens);
            if (request.Parameters is { ValueKind: JsonValueKind.Object } parameters)
                foreach (var parameter in parameters.EnumerateObject().Where(p => p.Value.ValueKind is not JsonValueKind.Null))
                    parameter.WriteTo(json);
            if (request.Say is not null)
            {
                json.WriteBoolean("stream", true);
                json.WriteStartObject("stream_options");
                json.WriteBoolean("include_usage", true);
                json.WriteEndObject();
            }

            if (request.Json)
            {
                WriteFormat(json, request.Schema);
                if (provider.TakesTemperature)
                    json.WriteNumber("temperature", 0);
            }

            json.WriteEndObject();
        }

        return stream.ToArray();
    }

    private static void WriteFormat(Utf8JsonWriter json, string? schema)
    {
        json.WriteStartObject("response_format");
        json.WriteString("type", schema is null ? "json_object" : "json_schema");
        if (schema is not null)
        {
            json.WriteStartObject("json_schema");
            json.WriteString("name", "answer");
            json.WriteBoolean("strict", true);
            json.WritePropertyName("schema");
            json.WriteRawValue(schema);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void WriteMessage(Utf8JsonWriter json, LlmMessage message)
    {
        json.WriteString("role", message.Role);
        // A turn that only calls tools has no text, and some providers refuse an empty one.
        if (message.Images is { Count: > 0 })
        {
            json.WritePropertyName("content");
            JsonSerializer.SerializeToElement(message).GetProperty("content").WriteTo(json);
        }
        else if (message.Content.Length == 0 && message.ToolCalls is not null)
            json.WriteNull("content");
        else
            json.WriteString("content", message.Content);
        if (message.Name is { } name)
            json.WriteString("name", name);
        if (message.ToolCallId is { } call)
            json.WriteString("tool_call_id", call);
        if (message.ToolCalls is { ValueKind: JsonValueKind.Array } calls)
        {
            json.WritePropertyName("tool_calls");
            calls.WriteTo(json);
        }
    }
}
