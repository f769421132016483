namespace ProviderSimulator.Answers;

/// <summary>Where sentences begin and end, found in one pass; good enough to extract from, not a grammar.</summary>
internal static class Sentences
{
    private const int ShortestChars = 20;
    private const int LongestHeadingChars = 120;

    public static List<Range> In(string text)
    {
        var found = new List<Range>();
        var start = 0;
        for (var at = 0; at < text.Length; at++)
        {
            if (!EndsAt(text, at))
            {
                continue;
            }

            Add(found, text, start, at + 1);
            start = at + 1;
        }

        Add(found, text, start, text.Length);
        return found;
    }

    /// <summary>
    /// A Markdown heading, an HTML or "Title:" line among the first lines; otherwise a short first line that is no sentence.
    /// </summary>
    public static string? Heading(string text)
    {
        string? first = null;
        var seen = 0;
        foreach (var range in text.AsSpan().Split('\n'))
        {
            var line = text.AsSpan()[range].Trim();
            if (line.IsEmpty)
            {
                continue;
            }

            if (line[0] == '#' && line.TrimStart('#').Trim() is { IsEmpty: false } heading)
            {
                return Shortened(heading);
            }

            if (line.StartsWith("title:", StringComparison.OrdinalIgnoreCase))
            {
                return Shortened(line[6..].Trim());
            }

            first ??= line.Length <= LongestHeadingChars && line[^1] is not ('.' or '!' or '?' or ':' or '。') ? line.ToString() : "";
            if (++seen == 12)
            {
                break;
            }
        }

        return string.IsNullOrEmpty(first) ? null : first;
    }

    private static bool EndsAt(string text, int at) => text[at] switch
    {
        '.' or '!' or '?' => at + 1 == text.Length || char.IsWhiteSpace(text[at + 1]),
        '。' or '！' or '？' => true,
        '\n' => at + 1 < text.Length && text[at + 1] == '\n',
        _ => false,
    };

    private static void Add(List<Range> found, string text, int start, int end)
    {
        var sentence = text.AsSpan(start, end - start).Trim();
        if (sentence.Length >= ShortestChars && sentence[0] != '#')
        {
            found.Add(start..end);
        }
    }

    private static string Shortened(ReadOnlySpan<char> heading) =>
        (heading.Length <= LongestHeadingChars ? heading : heading[..LongestHeadingChars]).ToString();
}
