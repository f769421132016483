using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmQueue.Worker.Calling.Reading;

/// <summary>
/// Reads a streamed answer: passes each piece on as it comes, and puts the whole together as if it had come at once, so that later steps
/// need not know.
/// </summary>
public static class StreamedAnswer
{
    /// <param name="stream">Server-sent events of chat.completion.chunk.</param>
    /// <param name="say">Told every piece of text with the number of characters before it.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    public static async Task<ReadOnlyMemory<byte>> Read(Stream stream, Action<int, string> say, CancellationToken cancellationToken)
    {
        var (text, calls, whole) = (new StringBuilder(), new SortedDictionary<int, JsonObject>(), new JsonObject());
        string? finish = null;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (!line.StartsWith("data:", StringComparison.Ordinal))
                continue;
            var data = line["data:".Length..].Trim();
            if (data == "[DONE]")
                break;
            if (JsonNode.Parse(data) is not JsonObject chunk)
                continue;
            if (chunk["error"] is { } error)
                return Encoding.UTF8.GetBytes(new JsonObject { ["error"] = error.DeepClone() }.ToJsonString());
            foreach (var name in new[] { "model", "system_fingerprint", "usage" })
                if (chunk[name] is { } value)
                    whole[name] = value.DeepClone();
            // Groq tells the usage beside its own name for it.
            if (chunk["x_groq"]?["usage"] is { } usage && whole["usage"] is null)
                whole["usage"] = usage.DeepClone();
            if (chunk["choices"] is not JsonArray { Count: > 0 } choices || choices[0] is not JsonObject choice)
                continue;
            finish = choice["finish_reason"]?.GetValue<string>() ?? finish;
            if (choice["delta"] is not JsonObject delta)
                continue;
            if (delta["content"]?.GetValue<string>().Replace("\0", "", StringComparison.Ordinal) is { Length: > 0 } piece)
            {
                say(text.Length, piece);
                text.Append(piece);
            }

            foreach (var call in delta["tool_calls"] as JsonArray ?? [])
                Join(calls, call as JsonObject ?? []);
        }

        var message = new JsonObject { ["role"] = "assistant", ["content"] = text.ToString() };
        if (calls.Count > 0)
            message["tool_calls"] = new JsonArray([.. calls.Values]);
        // A stream that stops without saying why has broken off.
        whole["choices"] = new JsonArray(new JsonObject { ["index"] = 0, ["message"] = message, ["finish_reason"] = finish ?? "error" });
        return Encoding.UTF8.GetBytes(whole.ToJsonString());
    }

    /// <summary>A call of a tool comes in pieces as well: its name first, then its arguments bit by bit.</summary>
    private static void Join(SortedDictionary<int, JsonObject> calls, JsonObject piece)
    {
        var index = piece["index"]?.GetValue<int>() ?? 0;
        if (!calls.TryGetValue(index, out var call))
        {
            var empty = new JsonObject { ["name"] = "", ["arguments"] = "" };
            calls[index] = call = new JsonObject { ["id"] = null, ["type"] = "function", ["function"] = empty };
        }

        if (piece["id"] is { } id)
            call["id"] = id.DeepClone();
        var function = (JsonObject)call["function"]!;
        foreach (var name in new[] { "name", "arguments" })
            if (piece["function"]?[name]?.GetValue<string>() is { } more)
                function[name] = function[name]!.GetValue<string>() + more;
    }
}
