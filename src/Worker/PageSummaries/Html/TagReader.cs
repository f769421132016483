namespace LlmQueue.Worker.PageSummaries.Html;

/// <summary>HTML's white space, which is not all of Unicode's.</summary>
internal static class HtmlSpace
{
    public static bool Is(char c) => c is ' ' or '\t' or '\n' or '\r' or '\f';
}

/// <summary>The attributes that say something about text. All others are passed over, however many there are.</summary>
internal enum HtmlAttribute { Hidden, AriaHidden, Style, Alt, Start, Value, Open }

/// <summary>Reads one tag: its name, the few attributes that count, and where it ends.</summary>
internal sealed class TagReader(string html)
{
    private static readonly string[] Names = ["hidden", "aria-hidden", "style", "alt", "start", "value", "open"];

    private readonly (int Start, int Length)?[] _values = new (int, int)?[Names.Length];
    private bool _quotesMeanNothing;

    public HtmlElement Element { get; private set; } = HtmlElement.Named("");

    public bool IsSelfClosing { get; private set; }

    /// <summary>How many characters were searched for quotes.</summary>
    public long Steps { get; private set; }

    public bool Has(HtmlAttribute attribute) => _values[(int)attribute] is not null;

    /// <summary>The value as written, with its character references; empty without one.</summary>
    public ReadOnlySpan<char> ValueOf(HtmlAttribute attribute) =>
        _values[(int)attribute] is var (start, length) ? html.AsSpan(start, length) : default;

    /// <param name="name">Where the name begins.</param>
    /// <param name="greater">The first ">" after it.</param>
    /// <returns>The place after the tag.</returns>
    public int Read(int name, int greater)
    {
        var end = name;
        while (end < greater && html[end] != '/' && !HtmlSpace.Is(html[end]))
            end++;
        Span<char> lower = stackalloc char[HtmlElement.LongestName];
        var length = html.AsSpan(name, Math.Min(end - name, lower.Length)).ToLowerInvariant(lower);
        Element = HtmlElement.Named(lower[..length]);
        // A tag without an end loses its quotes, once for the whole page: then each tag ends at the first ">".
        if (!_quotesMeanNothing && Attributes(end) is { } after)
            return after;
        _quotesMeanNothing = true;
        return Attributes(end) ?? greater + 1;
    }

    private int? Attributes(int at)
    {
        Array.Clear(_values);
        IsSelfClosing = false;
        while (at < html.Length)
        {
            var c = html[at];
            if (c == '>')
                return at + 1;
            IsSelfClosing = c == '/';
            if (IsSelfClosing || HtmlSpace.Is(c))
                at++;
            else if (Attribute(at) is { } next)
                at = next;
            else
                return null;
        }

        return null;
    }

    private int? Attribute(int start)
    {
        // An equals sign at the beginning belongs to the name.
        var end = start + 1;
        while (end < html.Length && html[end] is not ('=' or '/' or '>') && !HtmlSpace.Is(html[end]))
            end++;
        var at = SkipSpace(end);
        var valueStart = end;
        var valueLength = 0;
        if (at < html.Length && html[at] == '=')
        {
            at = SkipSpace(at + 1);
            var quote = at < html.Length && html[at] is '"' or '\'' && !_quotesMeanNothing;
            valueStart = quote ? at + 1 : at;
            if (quote)
            {
                at = html.IndexOf(html[at], valueStart);
                Steps += (at < 0 ? html.Length : at) - valueStart;
                if (at < 0)
                    return null;
                valueLength = at - valueStart;
                at = AfterQuote(valueStart, ref valueLength);
            }
            else
            {
                while (at < html.Length && html[at] != '>' && !HtmlSpace.Is(html[at]))
                    at++;
                valueLength = at - valueStart;
            }
        }
        else
        {
            at = end;
        }

        Keep(html.AsSpan(start, end - start), valueStart, valueLength);
        return at;
    }

    /// <summary>
    /// A value that runs over a ">" and whose quote is followed by more letters was never closed: the quote found opens a later value.
    /// </summary>
    private int AfterQuote(int start, ref int length)
    {
        var end = start + length + 1;
        if (end < html.Length && html[end] is not ('/' or '>') && !HtmlSpace.Is(html[end])
            && html.AsSpan(start, length).IndexOf('>') is var greater and >= 0)
        {
            length = greater;
            return start + greater;
        }

        return end;
    }

    private void Keep(ReadOnlySpan<char> name, int start, int length)
    {
        for (var i = 0; i < Names.Length; i++)
            if (_values[i] is null && name.Equals(Names[i], StringComparison.OrdinalIgnoreCase))
                _values[i] = (start, length);
    }

    private int SkipSpace(int at)
    {
        while (at < html.Length && HtmlSpace.Is(html[at]))
            at++;
        return at;
    }
}
