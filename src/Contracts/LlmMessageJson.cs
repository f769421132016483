using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmQueue.Contracts;

/// <summary>
/// Reads and writes a message as OpenAI's wire has it. What does not fit is kept as a sentence, so that its task can be rejected with it
/// instead of being lost.
/// </summary>
internal sealed class LlmMessageJson : JsonConverter<LlmMessage>
{
    public override LlmMessage Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        using var document = JsonDocument.ParseValue(ref reader);
        var root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object)
            return Wrong($" is {Kind(root)}; expected an object with 'role' and 'content'");
        try
        {
            var (role, content) = (Member(root, "role"), Member(root, "content"));
            if (role.ValueKind is not (JsonValueKind.String or JsonValueKind.Undefined or JsonValueKind.Null))
                return Wrong($".role is {Kind(role)}; expected a string");
            // As this queue names it, or as OpenAI does.
            var calls = Either(root, "toolCalls", "tool_calls") is { ValueKind: JsonValueKind.Array } given
                ? given.Clone()
                : (JsonElement?)null;
            var name = role.ValueKind == JsonValueKind.String ? role.GetString()! : "";
            var message = content.ValueKind switch
            {
                JsonValueKind.String => new LlmMessage(name, content.GetString()!),
                JsonValueKind.Undefined or JsonValueKind.Null => new LlmMessage(name, calls is null ? null! : ""),
                JsonValueKind.Array => Parts(name, content),
                _ => Wrong($".content is {Kind(content)}; expected a string, or a list of parts"),
            };
            return message with
            {
                ToolCalls = calls, ToolCallId = Word(Either(root, "toolCallId", "tool_call_id")), Name = Word(Member(root, "name")),
            };
        }
        catch (InvalidOperationException)
        {
            return Wrong(" is not valid Unicode: it has half of a surrogate pair, or bytes that are not UTF-8");
        }
    }

    public override void Write(Utf8JsonWriter writer, LlmMessage value, JsonSerializerOptions options)
    {
        writer.WriteStartObject();
        writer.WriteString("role", value.Role);
        if (value.Images is not { Count: > 0 })
            writer.WriteString("content", value.Content);
        else
            WriteParts(writer, value);
        if (value.Name is not null)
            writer.WriteString("name", value.Name);
        if (value.ToolCallId is not null)
            writer.WriteString("toolCallId", value.ToolCallId);
        if (value.ToolCalls is { } calls)
        {
            writer.WritePropertyName("toolCalls");
            calls.WriteTo(writer);
        }

        writer.WriteEndObject();
    }

    private static void WriteParts(Utf8JsonWriter writer, LlmMessage value)
    {
        writer.WriteStartArray("content");
        if (value.Content.Length > 0)
        {
            writer.WriteStartObject();
            writer.WriteString("type", "text");
            writer.WriteString("text", value.Content);
            writer.WriteEndObject();
        }

        foreach (var image in value.Images!)
        {
            writer.WriteStartObject();
            writer.WriteString("type", "image_url");
            writer.WriteStartObject("image_url");
            writer.WriteString("url", image.Url);
            if (image.Detail is not null)
                writer.WriteString("detail", image.Detail);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static LlmMessage Parts(string role, JsonElement parts)
    {
        var (text, images, at) = (new StringBuilder(), new List<LlmImage>(), 0);
        foreach (var part in parts.EnumerateArray())
        {
            var where = $".content[{at++}]";
            if (part.ValueKind != JsonValueKind.Object)
                return Wrong($"{where} is {Kind(part)}; expected a part such as {{\"type\": \"text\", \"text\": \"…\"}}");
            var type = Member(part, "type");
            switch (type.ValueKind == JsonValueKind.String ? type.GetString() : null)
            {
                case "text" when Member(part, "text") is { ValueKind: JsonValueKind.String } words:
                    text.Append(text.Length > 0 ? "\n" : "").Append(words.GetString());
                    break;
                case "image_url" when Member(part, "image_url") is { ValueKind: JsonValueKind.Object } image
                    && Member(image, "url") is { ValueKind: JsonValueKind.String } url:
                    images.Add(new LlmImage(url.GetString()!,
                        Member(image, "detail") is { ValueKind: JsonValueKind.String } detail ? detail.GetString() : null));
                    break;
                case "text":
                    return Wrong($"{where} has no 'text'; expected the part's words");
                case "image_url":
                    return Wrong(
                        $"{where} has no 'image_url.url'; expected {{\"type\": \"image_url\", \"image_url\": {{\"url\": \"https://…\"}}}}");
                case var other:
                    return Wrong($"{where} is of type '{(other?.Length > 50 ? other[..50] : other)}'; expected 'text' or 'image_url'");
            }
        }

        return new LlmMessage(role, text.ToString()) { Images = images.Count > 0 ? images : null };
    }

    private static LlmMessage Wrong(string misfit) => new("", "") { Misfit = misfit };

    // Names as whoever wrote them spells them: the other fields do not heed case either.
    private static JsonElement Member(JsonElement element, string name)
    {
        foreach (var property in element.EnumerateObject())
            if (property.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
                return property.Value;
        return default;
    }

    private static JsonElement Either(JsonElement element, string name, string other) =>
        Member(element, name) is { ValueKind: not JsonValueKind.Undefined } found ? found : Member(element, other);

    private static string? Word(JsonElement element) => element.ValueKind == JsonValueKind.String ? element.GetString() : null;

    private static string Kind(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "a boolean",
        JsonValueKind.Array => "a list",
        JsonValueKind.Object => "an object",
        _ => "null",
    };
}
