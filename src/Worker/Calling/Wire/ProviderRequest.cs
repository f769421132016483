using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Storage;

namespace LlmQueue.Worker.Calling.Wire;

/// <summary>The request of one call.</summary>
/// <param name="Model">The model's name on the wire.</param>
/// <param name="Messages">The conversation.</param>
/// <param name="MaxOutputTokens">The longest answer.</param>
/// <param name="Json">True when the answer must be one JSON object.</param>
/// <param name="Schema">The JSON schema that it must keep, for a model that can be held to one.</param>
public sealed record ProviderRequest(
    string Model, IReadOnlyList<LlmMessage> Messages, int MaxOutputTokens, bool Json, string? Schema = null)
{
    /// <summary>What else is said, in the provider's own names; checked at intake.</summary>
    public JsonElement? Parameters { get; init; }

    /// <summary>Told each piece of the answer as it comes, with the characters before it; null where nobody reads along.</summary>
    public Action<int, string>? Say { get; init; }
}
