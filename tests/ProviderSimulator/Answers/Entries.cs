using System.Globalization;
using System.Text.RegularExpressions;

namespace ProviderSimulator.Answers;

/// <summary>One of several things asked in one prompt: its number or id as written, and its text.</summary>
internal readonly record struct Entry(string Id, string Text);

/// <summary>
/// Finds the entries of a packed prompt, so that a packed answer has one result each, every one marked with its own entry's hash.
/// Seen are tags with an id (&lt;item id="a"&gt;…&lt;/item&gt;) and lines that count upwards ("1. …", "[2] …", "### Request 3: …").
/// </summary>
internal static partial class Entries
{
    public static List<Entry> In(string text)
    {
        var tagged = Tagged().Matches(text);
        return tagged.Count > 0
            ? [.. tagged.Select(match => new Entry(match.Groups["id"].Value, match.Groups["inner"].Value.Trim()))]
            : Counted(text);
    }

    // A list inside an entry counts from one again: only the number that is due next opens a new entry.
    private static List<Entry> Counted(string text)
    {
        var entries = new List<Entry>();
        Match? open = null;
        var due = -1;
        foreach (var line in Numbered().Matches(text).Cast<Match>())
        {
            var number = int.Parse(line.Groups["number"].ValueSpan, CultureInfo.InvariantCulture);
            if (open is null ? number > 1 : number != due)
            {
                continue;
            }

            Close(open, line.Index);
            open = line;
            due = number + 1;
        }

        Close(open, text.Length);
        return entries;

        void Close(Match? head, int end)
        {
            if (head is not null)
            {
                var from = head.Index + head.Length;
                entries.Add(new Entry(head.Groups["number"].Value, text[from..end].Trim()));
            }
        }
    }

    [GeneratedRegex(@"^[ \t]*[#*]*[ \t]*[\[(]?(item|request|task|entry|question|text|page)?[ \t]*#?(?<number>\d{1,3})[\]).:]+\**[ \t]+",
        RegexOptions.Multiline | RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Numbered();

    [GeneratedRegex("""<(?<tag>\w+)\s[^>]*?\b(id|index|number|n)=["']?(?<id>[^"'>\s]+)["']?[^>]*>(?<inner>.*?)</\k<tag>>""",
        RegexOptions.Singleline | RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Tagged();
}
