using System.Globalization;
using System.Text.Json;

namespace LlmQueue.Catalogue.Reading;

/// <summary>
/// Reads the properties of one object of the file by name. A problem is noted with its line and a default is returned, so that reading goes
/// on.
/// </summary>
internal sealed class CatalogueFields
{
    private readonly string _owner;
    private readonly CatalogueProblems _problems;
    private readonly Dictionary<string, JsonPart> _parts = [];

    /// <param name="part">What stands where the object is expected.</param>
    /// <param name="owner">What the object is, as a sentence calls it: "a model".</param>
    /// <param name="known">The names it may have.</param>
    /// <param name="problems">Where problems are noted.</param>
    public CatalogueFields(JsonPart part, string owner, IReadOnlyList<string> known, CatalogueProblems problems)
    {
        (_owner, _problems, Line) = (owner, problems, part.Line);
        if (part.Kind != JsonTokenType.StartObject)
            problems.Add(part.Line, $"found {part.Shown} where {owner} is expected: an object with {Names(known)}.");
        IsObject = part.Kind == JsonTokenType.StartObject;
        foreach (var member in part.Members)
        {
            if (!known.Contains(member.Name))
                problems.Add(member.Line, $"'{member.Name}' is not a property of {owner}; "
                    + (NearestName.Of(member.Name, known) is { } near ? $"did you mean '{near}'?" : $"it may have {Names(known)}."));
            else if (!_parts.TryAdd(member.Name, member.Value))
                problems.Add(member.Line, $"'{member.Name}' stands twice in {owner}; keep one.");
        }
    }

    public int Line { get; }
    public bool IsObject { get; }

    public JsonPart? Optional(string name) => _parts.TryGetValue(name, out var part) && part.Kind != JsonTokenType.Null ? part : null;

    public JsonPart? Required(string name, string expected)
    {
        var part = Optional(name);
        if (part is null && IsObject)
            _problems.Add(Line, $"{_owner} has no '{name}'; expected {expected}.");
        return part;
    }

    public string? Text(string name, string expected) => Text(Required(name, expected), name, expected);

    public string? OptionalText(string name, string expected) => Text(Optional(name), name, expected);

    public int Count(string name, string expected) => (int)(Whole(Required(name, expected), name, int.MaxValue) ?? 1);

    public int? OptionalCount(string name) => (int?)Whole(Optional(name), name, int.MaxValue);

    public long? OptionalLong(string name) => Whole(Optional(name), name, long.MaxValue);

    public decimal? OptionalAmount(string name, string unit)
    {
        if (Optional(name) is not { } part)
            return null;
        if (part.Kind == JsonTokenType.Number
            && decimal.TryParse(part.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var amount)
            && amount >= 0)
            return amount;
        _problems.Add(part.Line, $"'{name}' is {part.Shown}; expected {unit}, 0 or more.");
        return null;
    }

    public decimal? OptionalShare(string name)
    {
        if (Optional(name) is not { } part)
            return null;
        if (part.Kind == JsonTokenType.Number
            && decimal.TryParse(part.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var share)
            && share is >= 0 and <= 1)
            return share;
        _problems.Add(part.Line, $"'{name}' is {part.Shown}; expected a share from 0 to 1.");
        return null;
    }

    public bool Flag(string name, bool otherwise = false)
    {
        if (Optional(name) is { } part && part.Kind is not (JsonTokenType.True or JsonTokenType.False))
            _problems.Add(part.Line, $"'{name}' is {part.Shown}; expected true or false.");
        return Optional(name) is { } flag ? flag.Kind == JsonTokenType.True : otherwise;
    }

    public DateOnly? Date(string name)
    {
        if (Optional(name) is not { } part)
            return null;
        if (part.Kind == JsonTokenType.String && DateOnly.TryParseExact(part.Text, "yyyy-MM-dd", out var date))
            return date;
        _problems.Add(part.Line, $"'{name}' is {part.Shown}; expected a date such as '2026-08-16'.");
        return null;
    }

    public IReadOnlyList<JsonPart> List(JsonPart? part, string name, string expected)
    {
        if (part is not null && part.Kind != JsonTokenType.StartArray)
            _problems.Add(part.Line, $"'{name}' is {part.Shown}; expected {expected}.");
        return part?.Items ?? [];
    }

    private string? Text(JsonPart? part, string name, string expected)
    {
        if (part is null || (part.Kind == JsonTokenType.String && !string.IsNullOrWhiteSpace(part.Text)))
            return part?.Text;
        _problems.Add(part.Line, $"'{name}' is {part.Shown}; expected {expected}.");
        return null;
    }

    private long? Whole(JsonPart? part, string name, long most)
    {
        if (part is null)
            return null;
        if (part.Kind == JsonTokenType.Number
            && decimal.TryParse(part.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
            && number >= 1 && number <= most && decimal.Truncate(number) == number)
            return (long)number;
        _problems.Add(part.Line,
            $"'{name}' is {part.Shown}; expected a whole number from 1 to {most}, or leave it out where it is not limited.");
        return null;
    }

    private static string Names(IEnumerable<string> names) => string.Join(", ", names.Select(name => $"'{name}'"));
}
