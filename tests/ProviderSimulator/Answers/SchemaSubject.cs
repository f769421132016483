using System.Globalization;
using System.Text.Json;
using ProviderSimulator.Wire;

namespace ProviderSimulator.Answers;

/// <summary>
/// What the fields of an object speak about: the whole prompt, or one entry of a packed one (then Id is its number or id).
/// </summary>
internal sealed record SchemaSubject(string? Id, string Text, PromptHash Hash)
{
    private const int LongTextChars = 400;

    public SchemaSubject(Entry entry)
        : this(entry.Id, entry.Text, PromptHash.Of(entry.Text))
    {
    }

    public string String(JsonElement schema, string name)
    {
        if (schema.TryGetProperty("format", out var format))
        {
            switch (format.GetString())
            {
                case "date": return "2026-01-01";
                case "date-time": return "2026-01-01T00:00:00Z";
                case "uri": return "https://example.test/" + Hash;
                case "uuid": return "00000000-0000-4000-8000-" + Hash;
            }
        }

        if (IsId(name))
        {
            return Id ?? "1";
        }

        var text = Hash.Marker + " " + (Text.Length < LongTextChars ? PlainAnswer.Quote(Text) : PlainAnswer.Summarise(Text, 160));
        return schema.TryGetProperty("maxLength", out var longest) && longest.GetInt32() < text.Length ? text[..longest.GetInt32()] : text;
    }

    public bool Boolean(string name)
    {
        var plain = name.Replace("_", "", StringComparison.Ordinal).ToLowerInvariant();
        return plain.Contains("context", StringComparison.Ordinal)
            ? Keywords.RequiresContext(Text)
            // A critic that approves lets a flow reach its end.
            : Array.Exists(["valid", "ok", "approved", "pass", "correct", "relevant", "success"], plain.Contains);
    }

    public double Number(JsonElement schema, string name, bool whole)
    {
        if (IsId(name) && double.TryParse(Id ?? "1", NumberStyles.Integer, CultureInfo.InvariantCulture, out var number))
        {
            return number;
        }

        if (name.Contains("confidence", StringComparison.OrdinalIgnoreCase) && !whole)
        {
            return Math.Round(Keywords.Confidence(Text, Hash.Value), 2);
        }

        // Somewhere in the upper half of the range, the same for the same text.
        var least = Bound(schema, "minimum", 0);
        var most = Math.Max(least, Bound(schema, "maximum", whole ? least + 9 : least + 1));
        var value = least + ((most - least) * (0.5 + (Hash.Value % 50 / 100.0)));
        return whole ? Math.Floor(value) : Math.Round(value, 2);
    }

    private static bool IsId(string name) =>
        name.ToLowerInvariant() is "id" or "index" or "number" or "n" or "item_id" or "itemid" or "entry";

    private static double Bound(JsonElement schema, string name, double otherwise) =>
        schema.TryGetProperty(name, out var bound) && bound.TryGetDouble(out var value) ? value : otherwise;
}

/// <summary>Picks a value of an enum by what the text says; without a hint "other" if there is one, else the last.</summary>
internal static class EnumChoice
{
    public static JsonElement Of(JsonElement options, string field, string text)
    {
        if (options.GetArrayLength() == 0)
        {
            return default;
        }

        var names = options.EnumerateArray().Where(option => option.ValueKind == JsonValueKind.String).ToList();
        return Named(names, Keywords.Complexity(text)) is { } level && Named(names, "low") is not null ? level
            : Named(names, "creative") is not null && Named(names, Keywords.Category(text)) is { } category && IsCategory(field) ? category
            : Keywords.Task(text) is { } task && Stemmed(names, task.Stem) is { } kind ? kind
            : Named(names, Keywords.Sentiment(text)) is { } mood ? mood
            : Mentioned(names, text) ?? Named(names, "other") ?? options[options.GetArrayLength() - 1];
    }

    private static bool IsCategory(string field) => field.Contains("categor", StringComparison.OrdinalIgnoreCase);

    private static JsonElement? Named(List<JsonElement> names, string name) =>
        Find(names, option => option.Equals(name, StringComparison.OrdinalIgnoreCase));

    private static JsonElement? Stemmed(List<JsonElement> names, string stem) =>
        Find(names, option => option.Contains(stem, StringComparison.OrdinalIgnoreCase));

    private static JsonElement? Mentioned(List<JsonElement> names, string text) =>
        Find(names, option => option.Length > 2 && text.Contains(option, StringComparison.OrdinalIgnoreCase));

    private static JsonElement? Find(List<JsonElement> names, Predicate<string> fits)
    {
        foreach (var name in names)
        {
            if (fits(name.GetString()!))
            {
                return name;
            }
        }

        return null;
    }
}
