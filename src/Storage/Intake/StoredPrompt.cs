using System.Text.Json;
using LlmQueue.Contracts;

namespace LlmQueue.Storage.Intake;

/// <summary>A task's prompt as its row keeps it: the messages alone, or an object with the provider's parameters beside them.</summary>
/// <param name="Messages">The conversation.</param>
/// <param name="Parameters">What else the provider is told; null is nothing.</param>
/// <param name="Stream">Somebody reads the answer while it is written.</param>
public sealed record StoredPrompt(IReadOnlyList<LlmMessage> Messages, JsonElement? Parameters, bool Stream = false)
{
    public static string Write(IReadOnlyList<LlmMessage> messages, JsonElement? parameters, bool stream) =>
        stream || parameters is { ValueKind: JsonValueKind.Object }
        ? JsonSerializer.Serialize(new StoredPrompt(messages, parameters, stream), StoredJson.Options)
        : JsonSerializer.Serialize(messages, StoredJson.Options);

    public static StoredPrompt Read(string prompt) => prompt.StartsWith('{')
        ? JsonSerializer.Deserialize<StoredPrompt>(prompt, StoredJson.Options) ?? new StoredPrompt([], null)
        : new StoredPrompt(JsonSerializer.Deserialize<List<LlmMessage>>(prompt, StoredJson.Options) ?? [], null);

    /// <summary>The conversation as it counts against a context: descriptions of tools and forms are read by the model as well.</summary>
    public IReadOnlyList<LlmMessage> Weighed()
    {
        if (Parameters is not { ValueKind: JsonValueKind.Object } parameters)
            return Messages;
        string[] read = ["tools", "response_format"];
        var more = read.Where(name => parameters.TryGetProperty(name, out _))
            .Select(name => new LlmMessage("system", parameters.GetProperty(name).GetRawText()));
        return [.. Messages, .. more];
    }
}
