using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmQueue.Contracts;

/// <summary>One turn of a conversation.</summary>
/// <remarks>On the wire <c>content</c> is text, or as OpenAI has it a list of parts: <c>{"type": "text", "text": …}</c> and <c>{"type":
/// "image_url", "image_url": {"url": …}}</c>.</remarks>
/// <param name="Role"><c>system</c>, <c>user</c>, <c>assistant</c> or <c>tool</c>.</param>
/// <param name="Content">The turn's text; the text parts of a list, a line each.</param>
[JsonConverter(typeof(LlmMessageJson))]
public sealed record LlmMessage(string Role, string Content)
{
    /// <summary>On a turn of the assistant: the tools it called, as the provider gave them. Left out: none.</summary>
    public JsonElement? ToolCalls { get; init; }

    /// <summary>On a turn of role <c>tool</c>: the call it answers.</summary>
    public string? ToolCallId { get; init; }

    /// <summary>Who speaks, where several have the same role.</summary>
    public string? Name { get; init; }

    /// <summary>
    /// Images of the turn, in order; null for none. A model that reads images makes JSON of them, and that is what the
    /// answering model is given.
    /// </summary>
    public IReadOnlyList<LlmImage>? Images { get; init; }

    /// <summary>
    /// What of it could not be read, as a sentence about one of its fields; a task with such a message is rejected with it. Null for a
    /// message that was read whole.
    /// </summary>
    public string? Misfit { get; init; }
}

/// <summary>One image of a turn.</summary>
/// <param name="Url">An https address that the provider fetches, or <c>data:image/png;base64,…</c> (also jpeg, webp, gif).</param>
/// <param name="Detail"><c>low</c>, <c>high</c> or <c>auto</c>, for providers that know it; null is theirs to choose.</param>
public sealed record LlmImage(string Url, string? Detail = null);
