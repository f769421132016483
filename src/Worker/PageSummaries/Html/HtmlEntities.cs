using System.Globalization;
using System.Text;

namespace LlmQueue.Worker.PageSummaries.Html;

/// <summary>
/// Decodes character references as HTML does: https://html.spec.whatwg.org/multipage/parsing.html#character-reference-state.
/// The names are those of https://html.spec.whatwg.org/multipage/named-characters.html, with and without semicolon.
/// </summary>
internal static class HtmlEntities
{
    private const int LongestName = 32;
    private const int LongestWithoutSemicolon = 6;

    // What windows-1252 has at 0x80 to 0x9F; 0 where it has nothing.
    private static ReadOnlySpan<char> Windows1252 =>
        "\u20AC\0\u201A\u0192\u201E\u2026\u2020\u2021\u02C6\u2030\u0160\u2039\u0152\0\u017D\0"
        + "\0\u2018\u2019\u201C\u201D\u2022\u2013\u2014\u02DC\u2122\u0161\u203A\u0153\0\u017E\u0178";

    private static readonly Dictionary<string, string> Names = Load();

    private static readonly Dictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> ByName =
        Names.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Writes text as it reads.</summary>
    public static void Write(ReadOnlySpan<char> html, bool inAttribute, TextLayout into)
    {
        Span<char> decoded = stackalloc char[2];
        for (var i = 0; i < html.Length;)
        {
            var written = 0;
            var taken = html[i] == '&' ? Decode(html[i..], inAttribute, decoded, out written) : 0;
            if (taken == 0)
                into.Put(html[i]);
            for (var k = 0; k < written; k++)
                into.Put(decoded[k]);
            i += Math.Max(1, taken);
        }
    }

    /// <summary>Decodes the reference that a text begins with.</summary>
    /// <param name="text">Begins with an ampersand.</param>
    /// <param name="inAttribute">There a name without semicolon is no reference when a letter, a digit or "=" follows.</param>
    /// <param name="decoded">Room for two characters.</param>
    /// <param name="written">How many characters it stands for.</param>
    /// <returns>How many characters the reference takes; 0 when it is none.</returns>
    public static int Decode(ReadOnlySpan<char> text, bool inAttribute, Span<char> decoded, out int written)
    {
        written = 0;
        if (text.Length < 3)
            return 0;
        return text[1] == '#' ? Number(text, decoded, out written) : Name(text, inAttribute, decoded, out written);
    }

    private static int Name(ReadOnlySpan<char> text, bool inAttribute, Span<char> decoded, out int written)
    {
        written = 0;
        var end = 1;
        while (end < text.Length && end <= LongestName && char.IsAsciiLetterOrDigit(text[end]))
            end++;
        if (end < text.Length && text[end] == ';' && ByName.TryGetValue(text[1..(end + 1)], out var value))
        {
            value.CopyTo(decoded);
            written = value.Length;
            return end + 1;
        }

        for (var length = Math.Min(end - 1, LongestWithoutSemicolon); length >= 2; length--)
        {
            if (!ByName.TryGetValue(text.Slice(1, length), out value))
                continue;
            var next = length + 1 < text.Length ? text[length + 1] : ' ';
            if (inAttribute && (next == '=' || char.IsAsciiLetterOrDigit(next)))
                return 0;
            value.CopyTo(decoded);
            written = value.Length;
            return length + 1;
        }

        return 0;
    }

    private static int Number(ReadOnlySpan<char> text, Span<char> decoded, out int written)
    {
        var isHex = (text[2] | 0x20) == 'x';
        var first = isHex ? 3 : 2;
        var at = first;
        var code = 0;
        for (; at < text.Length && (isHex ? char.IsAsciiHexDigit(text[at]) : char.IsAsciiDigit(text[at])); at++)
            code = Math.Min(0x110000, code * (isHex ? 16 : 10) + Digit(text[at]));
        written = 0;
        if (at == first)
            return 0;
        if (at < text.Length && text[at] == ';')
            at++;
        if (code is >= 0x80 and <= 0x9F && Windows1252[code - 0x80] is var replaced and not '\0')
            code = replaced;
        var rune = code != 0 && Rune.IsValid(code) ? new Rune(code) : Rune.ReplacementChar;
        written = rune.EncodeToUtf16(decoded);
        return at;
    }

    private static int Digit(char c) => char.IsAsciiDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10;

    private static Dictionary<string, string> Load()
    {
        using var stream = typeof(HtmlEntities).Assembly.GetManifestResourceStream(typeof(HtmlEntities), "entities.txt")
            ?? throw new InvalidOperationException("The assembly lacks its resource entities.txt; build it from its own project file.");
        using var reader = new StreamReader(stream);
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        while (reader.ReadLine() is { } line)
        {
            var words = line.Split(' ');
            names[words[0]] = string.Concat(words.Skip(1).Select(hex => char.ConvertFromUtf32(int.Parse(hex, NumberStyles.HexNumber))));
        }

        return names;
    }
}
