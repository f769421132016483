using System.Buffers;
using System.Text;
using System.Text.Json;
using ProviderSimulator.Answers;

namespace ProviderSimulator.Wire;

/// <summary>Reads the body of a call. What it cannot read it answers with the sentence for the 400.</summary>
internal static class ChatRequestReader
{
    public static ChatRequest? Read(ReadOnlySequence<byte> body, out string problem)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            problem = Missing(document.RootElement);
            return problem.Length == 0 ? Read(document.RootElement) : null;
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            problem = "could not parse the JSON body of your request: " + error.Message;
            return null;
        }
    }

    private static string Missing(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            return "the body must be a JSON object";
        }

        if (!root.TryGetProperty("model", out var model) || model.ValueKind != JsonValueKind.String)
        {
            return "property 'model' is missing";
        }

        return root.TryGetProperty("messages", out var messages)
            && messages.ValueKind == JsonValueKind.Array
            && messages.GetArrayLength() > 0
            ? ""
            : "'messages' : minimum number of items is 1";
    }

    private static ChatRequest Read(JsonElement root)
    {
        var array = root.GetProperty("messages");
        var messages = new List<ChatMessage>(array.GetArrayLength());
        var tokens = TokenCounter.PerPrompt;
        var userText = "";
        foreach (var element in array.EnumerateArray())
        {
            var message = ReadMessage(element);
            messages.Add(message);
            tokens += TokenCounter.PerMessage + TokenCounter.Count(message.Text) + (message.Images * TokenCounter.PerImage);
            userText = message.Role is "user" ? message.Text : userText;
        }

        var (format, schema) = ReadFormat(root);
        return new ChatRequest
        {
            Model = root.GetProperty("model").GetString()!,
            Messages = messages,
            UserText = userText,
            Hash = PromptHash.Of(userText),
            PromptTokens = tokens,
            MaxTokens = ReadMaxTokens(root),
            Stream = IsTrue(root, "stream"),
            IncludeUsage = root.TryGetProperty("stream_options", out var options) && options.ValueKind == JsonValueKind.Object
                && IsTrue(options, "include_usage"),
            Format = format,
            Schema = schema,
        };
    }

    private static ChatMessage ReadMessage(JsonElement element)
    {
        var role = element.GetProperty("role").GetString() ?? "";
        if (!element.TryGetProperty("content", out var content))
        {
            return new ChatMessage(role, "", 0);
        }

        return content.ValueKind switch
        {
            JsonValueKind.String => new ChatMessage(role, content.GetString()!, 0),
            JsonValueKind.Array => ReadParts(role, content),
            JsonValueKind.Null => new ChatMessage(role, "", 0),
            _ => throw new FormatException("'messages' : content must be a string or an array of parts"),
        };
    }

    // The text parts of one message are one text, a line each.
    private static ChatMessage ReadParts(string role, JsonElement parts)
    {
        var text = new StringBuilder();
        var images = 0;
        foreach (var part in parts.EnumerateArray())
        {
            if (part.TryGetProperty("text", out var words) && words.ValueKind == JsonValueKind.String)
            {
                text.Append(text.Length > 0 ? "\n" : "").Append(words.GetString());
            }
            else
            {
                images++;
            }
        }

        return new ChatMessage(role, text.ToString(), images);
    }

    private static int? ReadMaxTokens(JsonElement root)
    {
        foreach (var name in (ReadOnlySpan<string>)["max_completion_tokens", "max_tokens"])
        {
            if (root.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null)
            {
                var tokens = value.GetInt32();
                return tokens > 0 ? tokens : throw new FormatException($"'{name}' : must be at least 1");
            }
        }

        return null;
    }

    private static (AnswerFormat Format, JsonElement Schema) ReadFormat(JsonElement root)
    {
        if (!root.TryGetProperty("response_format", out var format) || format.ValueKind != JsonValueKind.Object)
        {
            return (AnswerFormat.Text, default);
        }

        return format.GetProperty("type").GetString() switch
        {
            "json_object" => (AnswerFormat.JsonObject, default),
            // The document's memory goes back to its pool, the schema outlives it.
            "json_schema" => (AnswerFormat.JsonSchema, format.GetProperty("json_schema").GetProperty("schema").Clone()),
            _ => (AnswerFormat.Text, default),
        };
    }

    private static bool IsTrue(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;
}
