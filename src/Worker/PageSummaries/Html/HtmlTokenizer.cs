namespace LlmQueue.Worker.PageSummaries.Html;

internal enum HtmlToken { Text, StartTag, EndTag, End }

/// <summary>
/// Cuts HTML into text and tags in one pass, without copying it. Every search either consumes what it has looked at or is remembered,
/// so the work is proportional to the length whatever the markup is.
/// </summary>
/// <remarks>
/// Follows https://html.spec.whatwg.org/multipage/parsing.html#tokenization, but where a browser would take the rest of the page for a
/// comment, a quoted value or a title that is never closed, the rest is read.
/// </remarks>
internal sealed class HtmlTokenizer(string html)
{
    private readonly Dictionary<string, int> _endTags = new(StringComparer.Ordinal);
    private HtmlElement? _raw;
    private int _nextGreater = -1;
    private bool _noCommentEnds;
    private int _textStart;

    public int Position { get; private set; }

    /// <summary>How many characters were looked at, for the tests that hold it proportional to the length.</summary>
    public long Steps { get; private set; }

    /// <summary>The element of a tag, or the one that raw text belongs to.</summary>
    public HtmlElement? Element { get; private set; }

    public TagReader Tag { get; } = new(html);

    /// <summary>The text between two tags, with its character references.</summary>
    public ReadOnlySpan<char> Text => html.AsSpan(_textStart, Position - _textStart);

    public HtmlToken Next()
    {
        while (Position < html.Length)
        {
            var start = Position;
            var token = _raw is { } raw ? Raw(raw) : html[Position] == '<' ? Markup() : TextFrom(Position);
            Steps += Position - start;
            // Raw text may be empty, and comments are no token.
            if (token is { } found && (found != HtmlToken.Text || Position > _textStart))
                return found;
        }

        return HtmlToken.End;
    }

    /// <summary>Whether an end tag of this element follows. Found places are remembered, so all calls together look once at each.</summary>
    public bool EndTagFollows(HtmlElement element) => EndTag(element.Name) < html.Length;

    private int EndTag(string name)
    {
        if (_endTags.TryGetValue(name, out var known) && known >= Position)
            return known;
        var tag = $"</{name}";
        var at = Position;
        while (true)
        {
            var found = html.IndexOf(tag, at, StringComparison.OrdinalIgnoreCase);
            at = found < 0 ? html.Length : found;
            var after = at + tag.Length;
            if (found < 0 || (after < html.Length && (html[after] is '/' or '>' || HtmlSpace.Is(html[after]))))
                break;
            at = Math.Min(after, html.Length);
        }

        Steps += at - Position;
        return _endTags[name] = at;
    }

    private HtmlToken? Raw(HtmlElement element)
    {
        _raw = null;
        Element = element;
        _textStart = Position;
        Position = EndTag(element.Name);
        return HtmlToken.Text;
    }

    private HtmlToken? TextFrom(int start)
    {
        Element = null;
        _textStart = start;
        var next = start + 1 < html.Length ? html.IndexOf('<', start + 1) : -1;
        Position = next < 0 ? html.Length : next;
        return HtmlToken.Text;
    }

    private HtmlToken? Markup()
    {
        var first = At(Position + 1);
        var isEnd = first == '/';
        var letter = isEnd ? At(Position + 2) : first;
        if (!(char.IsAsciiLetter(letter) || first is '!' or '?' || (isEnd && letter != '\0')) || NextGreater(Position) is not { } greater)
            return TextFrom(Position);
        if (char.IsAsciiLetter(letter))
            return ReadTag(isEnd, greater);
        Position = html.AsSpan(Position).StartsWith("<!--", StringComparison.Ordinal) ? CommentEnd(greater) : greater + 1;
        return null;
    }

    private HtmlToken ReadTag(bool isEnd, int greater)
    {
        Position = Tag.Read(Position + (isEnd ? 2 : 1), greater);
        Element = Tag.Element;
        // Without its end tag a title or a text field would swallow the page; a script or a style sheet does so in a browser as well.
        if (!isEnd && !Tag.IsSelfClosing
            && (Element.Is(ElementTraits.RawText) || (Element.Is(ElementTraits.EscapableText) && EndTagFollows(Element))))
            _raw = Element;
        return isEnd ? HtmlToken.EndTag : HtmlToken.StartTag;
    }

    private int CommentEnd(int greater)
    {
        // <!--> and <!---> are whole comments.
        if (At(Position + 4) == '>' || (At(Position + 4) == '-' && At(Position + 5) == '>'))
            return greater + 1;
        for (var at = Position + 4; !_noCommentEnds; at++)
        {
            at = html.IndexOf("--", at, StringComparison.Ordinal);
            if (at < 0)
                break;
            if (At(at + 2) == '>' || (At(at + 2) == '!' && At(at + 3) == '>'))
                return html.IndexOf('>', at) + 1;
        }

        Steps += _noCommentEnds ? 0 : html.Length - Position;
        _noCommentEnds = true;
        return greater + 1;
    }

    private int? NextGreater(int from)
    {
        if (_nextGreater < from)
        {
            var found = html.IndexOf('>', from);
            _nextGreater = found < 0 ? int.MaxValue : found;
            Steps += Math.Min(_nextGreater, html.Length) - from;
        }

        return _nextGreater == int.MaxValue ? null : _nextGreater;
    }

    private char At(int place) => place < html.Length ? html[place] : '\0';
}
