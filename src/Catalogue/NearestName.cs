namespace LlmQueue.Catalogue;

/// <summary>Suggests the known name that is nearest to a mistyped one: "did you mean 'context'?".</summary>
public static class NearestName
{
    /// <summary>The known name nearest to what was found, or null when none is near enough to be what was meant.</summary>
    public static string? Of(string found, IEnumerable<string> known)
    {
        // A third of the letters may be wrong: 'contxt' is near 'context', 'colour' is near nothing here.
        var allowed = Math.Max(1, found.Length / 3);
        return known
            .Select(name => (name, distance: Distance(found.ToUpperInvariant(), name.ToUpperInvariant())))
            .Where(pair => pair.distance <= allowed)
            .OrderBy(pair => pair.distance)
            .Select(pair => pair.name)
            .FirstOrDefault();
    }

    /// <summary>" ; did you mean 'context'?" or an empty text, ready to end a sentence.</summary>
    public static string Question(string found, IEnumerable<string> known) =>
        Of(found, known) is { } name ? $"; did you mean '{name}'?" : "";

    /// <summary>How many letters must be added, dropped or changed to make one name of the other.</summary>
    public static int Distance(string one, string other)
    {
        var above = Enumerable.Range(0, other.Length + 1).ToArray();
        for (var i = 1; i <= one.Length; i++)
        {
            var row = new int[other.Length + 1];
            row[0] = i;
            for (var j = 1; j <= other.Length; j++)
            {
                var changed = above[j - 1] + (one[i - 1] == other[j - 1] ? 0 : 1);
                row[j] = Math.Min(changed, Math.Min(above[j], row[j - 1]) + 1);
            }
            above = row;
        }
        return above[other.Length];
    }
}
