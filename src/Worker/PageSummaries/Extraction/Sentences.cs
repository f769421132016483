using System.Text;

namespace LlmQueue.Worker.PageSummaries.Extraction;

/// <summary>
/// Cuts a text into sentences: Latin, Cyrillic, Greek and Devanagari ones at their marks followed by a space, Chinese and Japanese
/// ones at theirs, which need none. Programs, tables, headings and lists of links are no sentences and are left out, unless there
/// is nothing else. Pure.
/// </summary>
public static class Sentences
{
    private const int LongestSentence = 600;
    private const int FewestWords = 4;
    private const int FewestCharactersWithoutSpaces = 8;

    /// <summary>
    /// What ends with a point and no sentence; in the order of English, German, French, Spanish. Compared in lower case
    /// and without the point.
    /// </summary>
    private static readonly HashSet<string> Abbreviations = new(StringComparer.Ordinal)
    {
        "e.g", "i.e", "etc", "vs", "mr", "mrs", "ms", "dr", "prof", "st", "no", "fig", "sec", "approx", "inc", "ltd", "cf", "ca", "al",
        "vol", "ed", "pp", "jan", "feb", "aug", "sept", "oct", "nov", "dec", "z.b", "d.h", "u.a", "u.ä", "usw", "bzw", "ggf", "evtl", "vgl",
        "nr", "abs", "str", "hr", "fr", "inkl", "ca", "bspw", "sog", "mio", "mrd", "o.ä", "i.d.r", "jh", "p.ex", "m", "mm", "mme", "mlle",
        "env", "av", "chap", "art", "n°", "sr", "sra", "srta", "ud", "uds", "p.ej", "ee.uu", "pág", "núm", "aprox",
    };

    public static IReadOnlyList<string> Of(string text)
    {
        var sentences = new List<string>();
        foreach (var paragraph in Paragraphs(text))
            sentences.AddRange(Cut(paragraph).Where(IsSentence));
        // A page of tables or keywords has none: then its lines stand for them.
        return sentences.Count > 0 ? sentences : [.. Lines(text)];
    }

    /// <summary>Prose only: lines of one paragraph joined, every item of a list by itself.</summary>
    private static List<string> Paragraphs(string text)
    {
        var (paragraphs, open) = (new List<string>(), new StringBuilder());
        var fenced = false;
        foreach (var raw in text.AsSpan().EnumerateLines())
        {
            var line = raw.Trim();
            var isFence = line.StartsWith("```", StringComparison.Ordinal) || line.StartsWith("~~~", StringComparison.Ordinal);
            if (isFence)
                fenced = !fenced;
            if (isFence || fenced || IsNoProse(line))
            {
                Close();
                continue;
            }

            if (Bullet(line) is var content && content.Length < line.Length)
                Close();
            if (open.Length > 0 && !IsWide(open[^1]))
                open.Append(' ');
            open.Append(content);
        }

        Close();
        return paragraphs;

        void Close()
        {
            if (open.Length > 0)
                paragraphs.Add(Plain(open.ToString()));
            open.Clear();
        }
    }

    private static bool IsNoProse(ReadOnlySpan<char> line) =>
        line.IsEmpty
            || line[0] is '#' or '|' or '<'
            || line.StartsWith("---", StringComparison.Ordinal)
            || line.StartsWith("===", StringComparison.Ordinal)
        || (line[0] == '[' && line.Contains("]:", StringComparison.Ordinal)) || line.StartsWith("![", StringComparison.Ordinal);

    /// <summary>The line without the mark of a list or a quotation.</summary>
    private static ReadOnlySpan<char> Bullet(ReadOnlySpan<char> line)
    {
        if (line.Length > 1 && line[0] is '-' or '*' or '+' or '•' or '>' && line[1] == ' ')
            return line[2..].TrimStart();
        var digits = 0;
        while (digits < line.Length && char.IsAsciiDigit(line[digits]))
            digits++;
        return digits is > 0 and < 3 && digits + 1 < line.Length && line[digits] is '.' or ')' && line[digits + 1] == ' '
            ? line[(digits + 2)..].TrimStart()
            : line;
    }

    /// <summary>Markdown's emphasis and links reduced to their words: [word](address) is word.</summary>
    private static string Plain(string text)
    {
        var plain = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == ']' && i + 1 < text.Length && text[i + 1] is '(' or '[')
            {
                var end = text.IndexOf(text[i + 1] == '(' ? ')' : ']', i + 1);
                if (end > 0)
                {
                    i = end;
                    continue;
                }
            }

            if (text[i] is not ('*' or '`' or '[' or ']'))
                plain.Append(text[i]);
        }

        return plain.ToString();
    }

    private static IEnumerable<string> Cut(string paragraph)
    {
        var start = 0;
        for (var i = 0; i < paragraph.Length; i++)
        {
            if (!EndsAt(paragraph, start, i) && i - start < LongestSentence)
                continue;
            // Closing quotation marks and brackets belong to the sentence they close.
            while (i + 1 < paragraph.Length
                && paragraph[i + 1] is '"' or '\'' or ')' or '”' or '“' or '’' or '»' or '」' or '』' or '）' or '。' or '！'
                    or '？' or '!' or '?' or '.')
                i++;
            if (char.IsHighSurrogate(paragraph[i]))
                i++;
            yield return paragraph[start..Math.Min(i + 1, paragraph.Length)].Trim();
            start = i + 1;
        }

        if (start < paragraph.Length)
            yield return paragraph[start..].Trim();
    }

    private static bool EndsAt(string text, int start, int i)
    {
        if (text[i] is '。' or '！' or '？' or '｡' or '।' or '؟' or '۔' or '።')
            return true;
        if (text[i] is not ('.' or '!' or '?' or '…') || i + 1 >= text.Length)
            return i + 1 >= text.Length;
        var next = i + 1;
        while (next < text.Length && text[next] is '"' or '\'' or ')' or '”' or '“' or '»' or '’')
            next++;
        if (next >= text.Length || text[next] != ' ')
            return false;
        while (next < text.Length && (text[next] == ' ' || text[next] is '"' or '\'' or '(' or '“' or '«' or '„' or '¿' or '¡'))
            next++;
        // What goes on in lower case is the same sentence: an abbreviation nobody has listed.
        if (next < text.Length && char.IsLower(text[next]))
            return false;
        return text[i] != '.' || !IsAbbreviation(text, start, i);
    }

    private static bool IsAbbreviation(string text, int start, int point)
    {
        var begin = point;
        while (begin > start && text[begin - 1] != ' ' && text[begin - 1] is not ('(' or '"' or '„' or '“' or '«'))
            begin--;
        var word = text[begin..point];
        if (word.Length == 0)
            return true;
        // "J. Smith", "am 3. Mai" and "z. B. so".
        return (word.Length == 1 && char.IsLetter(word[0]))
            || (word.Length <= 2 && word.All(char.IsAsciiDigit))
            || Abbreviations.Contains(word.ToLowerInvariant());
    }

    private static bool IsSentence(string text)
    {
        if (text.Length == 0 || text.Count(char.IsLetter) < text.Length / 2)
            return false;
        var wide = text.Count(IsWide);
        return wide > text.Length / 3
            ? text.Length >= FewestCharactersWithoutSpaces
            : text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length >= FewestWords;
    }

    private static IEnumerable<string> Lines(string text)
    {
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            if (line.Any(char.IsLetterOrDigit))
                for (var at = 0; at < line.Length; at += LongestSentence)
                    yield return line[at..Math.Min(line.Length, at + LongestSentence)];
    }

    /// <summary>Of a script that is written without spaces: Han, Kana, Thai, Lao, Khmer, Burmese.</summary>
    internal static bool IsWide(char c) =>
        c is (>= '\u3000' and <= '\u30FF')
            or (>= '\u3400' and <= '\u9FFF')
            or (>= '\uF900' and <= '\uFAFF')
            or (>= '\uFF00' and <= '\uFFEF')
        or (>= '\u0E00' and <= '\u0EFF') or (>= '\u1000' and <= '\u109F') or (>= '\u1780' and <= '\u17FF');
}
