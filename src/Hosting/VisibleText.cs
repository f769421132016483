using System.Globalization;
using System.Text;

namespace LlmQueue.Hosting;

/// <summary>
/// Makes text from outside safe for a terminal or a log: what would act on the terminal (escape sequences), forge a line (breaks) or turn
/// the reading direction (overrides) is shown instead of done.
/// </summary>
public static class VisibleText
{
    /// <summary>For one line: breaks and tabs are shown as well.</summary>
    public static string Line(string text) => Replaced(text, IsUnfitForLine, Shown);

    /// <summary>For several lines: breaks and tabs stay.</summary>
    public static string Block(string text) => Replaced(text.Replace("\r\n", "\n", StringComparison.Ordinal), IsUnfit, Shown);

    /// <summary>For JSON that is written already: such characters stand only inside its strings, where an escape means the same.</summary>
    public static string InJson(string json) =>
        Replaced(json, IsUnfit, c => string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"));

    private static bool IsUnfitForLine(char c) => IsUnfit(c) || c is '\n' or '\t';

    private static bool IsUnfit(char c) => c switch
    {
        '\n' or '\t' => false,
        // Separators of lines and paragraphs, and what turns the direction of reading (https://www.unicode.org/reports/tr9/,
        // https://trojansource.codes).
        '\u2028' or '\u2029' or '\u061C' or '\u200E' or '\u200F' or (>= '\u202A' and <= '\u202E') or (>= '\u2066' and <= '\u2069') => true,
        _ => char.IsControl(c),
    };

    // The pictures of control characters, where there are some.
    private static string Shown(char c) => c switch
    {
        < ' ' => ((char)('\u2400' + c)).ToString(),
        '\u007F' => "\u2421",
        _ => string.Create(CultureInfo.InvariantCulture, $"<U+{(int)c:X4}>"),
    };

    private static string Replaced(string text, Func<char, bool> isUnfit, Func<char, string> shown)
    {
        if (!text.Any(isUnfit))
            return text;
        var visible = new StringBuilder(text.Length + 16);
        foreach (var c in text)
            _ = isUnfit(c) ? visible.Append(shown(c)) : visible.Append(c);
        return visible.ToString();
    }
}
