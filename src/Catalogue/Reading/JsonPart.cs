using System.Text;
using System.Text.Json;

namespace LlmQueue.Catalogue.Reading;

/// <summary>A JSON value that remembers its line. JsonDocument forgets it, and a sentence without a line sends people searching.</summary>
internal sealed record JsonPart(int Line, JsonTokenType Kind, string Text, IReadOnlyList<JsonPart> Items, IReadOnlyList<JsonMember> Members)
{
    /// <summary>The value as an error shows it.</summary>
    public string Shown => Kind switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "a list",
        JsonTokenType.String => $"'{Text}'",
        _ => Text,
    };
}

internal sealed record JsonMember(string Name, int Line, JsonPart Value);
