using System.Collections;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmQueue.Api.Wire;

/// <summary>Reads the fields of one JSON object into a contract; where a value has the wrong type, its field is named.</summary>
public static class Fields
{
    private static readonly JsonSerializerOptions Strict = new(JsonSerializerDefaults.Web) { NumberHandling = JsonNumberHandling.Strict };

    /// <exception cref="ProblemException">400: a field's value has the wrong type.</exception>
    public static T Read<T>(JsonElement element) where T : class
    {
        if (element.ValueKind is not JsonValueKind.Object)
            throw new ProblemException(Problem.Refused($"Found {Kind(element)}; expected an object with the fields of {typeof(T).Name}."));
        try
        {
            return element.Deserialize<T>(Strict)!;
        }
        catch (JsonException fault)
        {
            throw new ProblemException(Problem.Refused(Sentence(element, typeof(T), fault.Path ?? "$")));
        }
    }

    /// <summary>The fields as they were written, for telling a misspelt one.</summary>
    public static IEnumerable<string> Names(JsonElement element) =>
        element.ValueKind is JsonValueKind.Object ? element.EnumerateObject().Select(p => p.Name) : [];

    /// <summary>Follows the serializer's path ("$.messages[0].role") down both the value and the type.</summary>
    private static string Sentence(JsonElement element, Type type, string path)
    {
        var (found, expected, named) = (element, type, new List<string>());
        foreach (var step in Steps(path))
        {
            if (step.StartsWith('['))
            {
                var index = int.Parse(step.Trim('[', ']'));
                if (found.ValueKind is not JsonValueKind.Array || index >= found.GetArrayLength())
                    break;
                found = found[index];
                expected = ElementType(expected);
                named.Add(step);
                continue;
            }

            if (found.ValueKind is not JsonValueKind.Object || !TryGet(found, step, out var value))
                break;
            found = value;
            expected = expected.GetProperty(step, BindingFlags.IgnoreCase | BindingFlags.Public | BindingFlags.Instance)?.PropertyType
                ?? ElementType(expected);
            named.Add(named.Count == 0 ? step : $".{step}");
        }

        var actual = Nullable.GetUnderlyingType(expected) ?? expected;
        var name = string.Concat(named);
        if (found.ValueKind is JsonValueKind.String && actual == typeof(string))
            return $"'{name}' is not valid Unicode: it has half of a surrogate pair, or bytes that are not UTF-8.";
        // Of the right kind, but not a value of the type: an id that is no UUID, a number that is too large.
        return found.ValueKind is JsonValueKind.String && (actual == typeof(Guid) || actual == typeof(DateTimeOffset))
            ? $"'{name}' is '{Short(found.GetString())}'; expected {Words(actual)}."
            : found.ValueKind is JsonValueKind.Number && actual == typeof(int)
                ? $"'{name}' is {Short(found.GetRawText())}; expected a whole number up to 2,147,483,647."
                : $"'{name}' is {Kind(found)}; expected {Words(actual)}.";
    }

    private static IEnumerable<string> Steps(string path)
    {
        // Only the serializer's own paths come here; a name with special characters is written ['like this'].
        for (var i = 1; i < path.Length;)
        {
            if (path[i] == '.')
            {
                var end = path.AsSpan(i + 1).IndexOfAny('.', '[') is var at and >= 0 ? i + 1 + at : path.Length;
                yield return path[(i + 1)..end];
                i = end;
            }
            else if (path.AsSpan(i).StartsWith("['"))
            {
                var end = path.IndexOf("']", i, StringComparison.Ordinal) is var at and >= 0 ? at : path.Length - 2;
                yield return path[(i + 2)..end];
                i = end + 2;
            }
            else
            {
                var end = path.IndexOf(']', i) is var at and >= 0 ? at + 1 : path.Length;
                yield return path[i..end];
                i = end;
            }
        }
    }

    private static bool TryGet(JsonElement element, string name, out JsonElement value)
    {
        foreach (var property in element.EnumerateObject().Where(p => p.Name.Equals(name, StringComparison.OrdinalIgnoreCase)))
        {
            value = property.Value;
            return true;
        }

        value = default;
        return false;
    }

    private static Type ElementType(Type type) => type.IsGenericType ? type.GetGenericArguments()[^1] : typeof(object);

    private static string Kind(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "a boolean",
        JsonValueKind.Array => "a list",
        JsonValueKind.Object => "an object",
        _ => "null",
    };

    private static string Words(Type type) => type switch
    {
        _ when type == typeof(string) => "a string",
        _ when type == typeof(int) => "a number",
        _ when type == typeof(bool) => "true or false",
        _ when type == typeof(Guid) => "a UUID such as 0199aa41-5e0c-7c11-9f0e-0d2f4b1a9c55",
        _ when type == typeof(DateTimeOffset) => "a time such as 2027-01-31T12:00:00Z",
        _ when typeof(IEnumerable).IsAssignableFrom(type) && type.GetGenericArguments().Length == 1 => "a list",
        _ => "an object",
    };

    private static string Short(string? text) => text is { Length: > 60 } ? text[..60] + "…" : text ?? "";
}
