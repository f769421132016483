using System.Text.Json;
using ProviderSimulator.Wire;

namespace ProviderSimulator.Answers;

/// <summary>
/// Writes one instance of any JSON schema a caller may send: objects, arrays, enums, consts, $ref, anyOf. Every property is written,
/// required or not. Free strings carry the marker of the text they answer, so that a mixed-up result shows inside JSON as well.
/// </summary>
internal sealed class SchemaAnswer
{
    // A schema may refer to itself; what is not required stops here, what is required ends a little later in empty values.
    private const int OptionalDepth = 5;
    private const int DeepestLevel = 24;

    private readonly Utf8JsonWriter _writer;
    private readonly JsonElement _root;
    private readonly List<Entry> _entries;

    private SchemaAnswer(Utf8JsonWriter writer, JsonElement root, List<Entry> entries)
    {
        _writer = writer;
        _root = root;
        _entries = entries;
    }

    public static string Write(ChatRequest request) => JsonText.Write(writer =>
    {
        var answer = new SchemaAnswer(writer, request.Schema, Entries.In(request.UserText));
        answer.WriteValue(request.Schema, "", new SchemaSubject(null, Keywords.Subject(request.UserText), request.Hash), 0);
    });

    private void WriteValue(JsonElement schema, string name, SchemaSubject subject, int depth)
    {
        schema = Resolve(schema);
        if (schema.ValueKind != JsonValueKind.Object || depth > DeepestLevel)
        {
            _writer.WriteNullValue();
        }
        else if (schema.TryGetProperty("const", out var constant))
        {
            constant.WriteTo(_writer);
        }
        else if (schema.TryGetProperty("enum", out var options))
        {
            EnumChoice.Of(options, name, subject.Text).WriteTo(_writer);
        }
        else
        {
            WriteTyped(schema, name, subject, depth);
        }
    }

    private void WriteTyped(JsonElement schema, string name, SchemaSubject subject, int depth)
    {
        switch (TypeOf(schema))
        {
            case "object": WriteObject(schema, subject, depth); break;
            case "array": WriteArray(schema, name, subject, depth); break;
            case "boolean": _writer.WriteBooleanValue(subject.Boolean(name)); break;
            case "integer": _writer.WriteNumberValue((long)subject.Number(schema, name, whole: true)); break;
            case "number": _writer.WriteNumberValue(subject.Number(schema, name, whole: false)); break;
            case "null": _writer.WriteNullValue(); break;
            default: _writer.WriteStringValue(subject.String(schema, name)); break;
        }
    }

    private void WriteObject(JsonElement schema, SchemaSubject subject, int depth)
    {
        _writer.WriteStartObject();
        if (schema.TryGetProperty("properties", out var properties))
        {
            foreach (var property in properties.EnumerateObject())
            {
                if (depth < OptionalDepth || IsRequired(schema, property.Name))
                {
                    _writer.WritePropertyName(property.Name);
                    WriteValue(property.Value, property.Name, subject, depth + 1);
                }
            }
        }

        _writer.WriteEndObject();
    }

    private void WriteArray(JsonElement schema, string name, SchemaSubject subject, int depth)
    {
        var perEntry = subject.Id is null && _entries.Count > 0 && IsListOfResults(name);
        var count = Math.Max(perEntry ? _entries.Count : 1, Bound(schema, "minItems", 0));
        count = Math.Min(count, Bound(schema, "maxItems", int.MaxValue));
        _writer.WriteStartArray();
        // An array within a schema that has gone too deep ends empty, or it would never end.
        for (var at = 0; at < count && depth < DeepestLevel / 2 && schema.TryGetProperty("items", out var items); at++)
        {
            var own = perEntry && at < _entries.Count ? new SchemaSubject(_entries[at]) : subject;
            WriteValue(items, name, own, depth + 1);
        }

        _writer.WriteEndArray();
    }

    // "items" of the prompt, under the names such lists go by; a top-level array has no name at all.
    private static bool IsListOfResults(string name) =>
        name.Length == 0
        || Array.Exists(["result", "item", "answer", "response", "summar", "classif", "entr", "output", "label"],
            name.ToLowerInvariant().Contains);

    private JsonElement Resolve(JsonElement schema)
    {
        for (var hop = 0; hop < DeepestLevel && schema.ValueKind == JsonValueKind.Object; hop++)
        {
            if (schema.TryGetProperty("$ref", out var reference))
            {
                schema = Follow(reference.GetString() ?? "");
            }
            else if (Alternatives(schema) is { } alternatives)
            {
                schema = alternatives.EnumerateArray().FirstOrDefault(option => TypeOf(option) != "null", alternatives[0]);
            }
            else
            {
                break;
            }
        }

        return schema;
    }

    private JsonElement Follow(string reference)
    {
        var at = _root;
        foreach (var step in reference.TrimStart('#').Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (at.ValueKind != JsonValueKind.Object || !at.TryGetProperty(step, out at))
            {
                return default;
            }
        }

        return at;
    }

    private static JsonElement? Alternatives(JsonElement schema)
    {
        foreach (var keyword in (ReadOnlySpan<string>)["anyOf", "oneOf", "allOf"])
        {
            if (schema.TryGetProperty(keyword, out var options) && options.ValueKind == JsonValueKind.Array && options.GetArrayLength() > 0)
            {
                return options;
            }
        }

        return null;
    }

    private static string TypeOf(JsonElement schema)
    {
        if (schema.ValueKind == JsonValueKind.Object && schema.TryGetProperty("type", out var type))
        {
            // ["string","null"]: the one that says something.
            return type.ValueKind == JsonValueKind.Array
                ? type.EnumerateArray().Select(option => option.GetString()!).FirstOrDefault(option => option != "null", "null")
                : type.GetString()!;
        }

        return schema.ValueKind != JsonValueKind.Object ? "null"
            : schema.TryGetProperty("properties", out _) ? "object"
            : schema.TryGetProperty("items", out _) ? "array"
            : "string";
    }

    private static bool IsRequired(JsonElement schema, string name) =>
        schema.TryGetProperty("required", out var required) && required.EnumerateArray().Any(entry => entry.ValueEquals(name));

    private static int Bound(JsonElement schema, string name, int otherwise) =>
        schema.TryGetProperty(name, out var bound) && bound.TryGetInt32(out var value) ? value : otherwise;
}
