using System.Text;
using System.Text.Json;

namespace LlmQueue.Catalogue.Reading;

/// <summary>A JSON value with its line, which JsonDocument does not keep, so that a problem can name it.</summary>
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

internal ref struct PositionedJson
{
    private readonly List<int> _lineStarts;
    private Utf8JsonReader _reader;

    private PositionedJson(ReadOnlySpan<byte> utf8)
    {
        _reader = new Utf8JsonReader(utf8,
            new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        _lineStarts = [0];
        for (var i = 0; i < utf8.Length; i++)
            if (utf8[i] == (byte)'\n')
                _lineStarts.Add(i + 1);
    }

    /// <summary>
    /// The root value, or null after a problem was noted: broken JSON has exactly one, since nothing after it can be trusted.
    /// </summary>
    public static JsonPart? Read(string json, CatalogueProblems problems)
    {
        var json1 = json.TrimStart('\uFEFF');
        if (string.IsNullOrWhiteSpace(json1))
        {
            problems.Add(1, "the file is empty; expected an object with 'models' and 'routes', as in the project's catalogue.json.");
            return null;
        }
        var cursor = new PositionedJson(Encoding.UTF8.GetBytes(json1));
        try
        {
            cursor._reader.Read();
            var root = cursor.Value();
            cursor._reader.Read(); // Throws when something follows the root.
            return root;
        }
        catch (JsonException fault)
        {
            // The framework appends its own position, counted from 0; ours stands in front, counted from 1.
            var sentence = fault.Message.Split(" LineNumber:")[0].TrimEnd('.');
            problems.Add((int)(fault.LineNumber ?? 0) + 1, $"this is not JSON: {sentence}.");
        }
        catch (InvalidOperationException)
        {
            problems.Add(cursor.Line, "this text has half of a surrogate pair; write the character itself, or both halves.");
        }
        return null;
    }

    private readonly int Line
    {
        get
        {
            var index = _lineStarts.BinarySearch((int)_reader.TokenStartIndex);
            return index >= 0 ? index + 1 : ~index;
        }
    }

    private JsonPart Value()
    {
        var line = Line;
        switch (_reader.TokenType)
        {
            case JsonTokenType.StartObject:
                var members = new List<JsonMember>();
                while (_reader.Read() && _reader.TokenType != JsonTokenType.EndObject)
                {
                    var (name, nameLine) = (_reader.GetString()!, Line);
                    _reader.Read();
                    members.Add(new JsonMember(name, nameLine, Value()));
                }
                return new JsonPart(line, JsonTokenType.StartObject, "", [], members);
            case JsonTokenType.StartArray:
                var items = new List<JsonPart>();
                while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
                    items.Add(Value());
                return new JsonPart(line, JsonTokenType.StartArray, "", items, []);
            case JsonTokenType.String:
                return new JsonPart(line, JsonTokenType.String, _reader.GetString()!, [], []);
            default:
                return new JsonPart(line, _reader.TokenType, Encoding.UTF8.GetString(_reader.ValueSpan), [], []);
        }
    }
}
