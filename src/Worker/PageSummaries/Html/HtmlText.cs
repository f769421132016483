namespace LlmQueue.Worker.PageSummaries.Html;

/// <summary>
/// Reads HTML as the text that a person would see, in one pass over its tags: no tree is built, so no markup, however it is nested or
/// left open, costs more than its length. What is kept is the stack of open elements (at most <see cref="OpenElements.Deepest"/>) and the
/// text itself. docs/decisions/0031.
/// </summary>
internal sealed class HtmlText
{
    private const int LongestTitle = 1000;

    private readonly HtmlTokenizer _tokens;
    private readonly OpenElements _open = new();
    private readonly TextLayout _text = new();
    private readonly TableRows _rows;
    private readonly ElementLayout _layout;
    private readonly HiddenParts _hidden;
    private string? _title;
    private long _closed;

    private HtmlText(string html)
    {
        _tokens = new HtmlTokenizer(html);
        _rows = new TableRows(_text);
        _layout = new ElementLayout(_open, _text, _rows, _tokens.Tag);
        _hidden = new HiddenParts(_tokens);
    }

    public static (string? Title, string Text) Read(string html) => Read(html, out _);

    /// <param name="html">Any text.</param>
    /// <param name="steps">How many characters and elements were looked at.</param>
    public static (string? Title, string Text) Read(string html, out long steps)
    {
        var reader = new HtmlText(html);
        var text = reader.Run();
        steps = reader._tokens.Steps + reader._tokens.Tag.Steps + reader._rows.Steps + reader._closed;
        return (reader._title, text);
    }

    private string Run()
    {
        var token = _tokens.Next();
        for (var start = 0; token != HtmlToken.End; token = _tokens.Next())
        {
            _text.Consumed = start;
            start = _tokens.Position;
            if (token == HtmlToken.Text)
                Text();
            else if (token == HtmlToken.StartTag)
                Start(_tokens.Element!);
            else
                End(_tokens.Element!);
        }

        Close(0);
        return _text.Text.ToString();
    }

    private void Text()
    {
        // Raw text names its element, so that it is left out even where the stack was too full to keep it.
        if (_tokens.Element is { Role: ElementRole.Title } && _title is null && !IsHiddenAround())
            _title = _layout.Decoded(_tokens.Text[..Math.Min(_tokens.Text.Length, LongestTitle)]);
        if (_open.IsHidden || (_tokens.Element?.Is(ElementTraits.LeftOut) ?? false))
            return;
        if (_tokens.Element?.Is(ElementTraits.RawText) ?? false)
            foreach (var c in _tokens.Text)
                _text.Put(c);
        else
            HtmlEntities.Write(_tokens.Text, inAttribute: false, _text);
    }

    private bool IsHiddenAround() => _open.Count > 1 && _open[_open.Count - 2].IsHidden;

    private void Start(HtmlElement element)
    {
        Close(EndTags.ImpliedBy(element, _open));
        var isHidden = _open.IsHidden || _hidden.IsHidden(element);
        if (element.Is(ElementTraits.Void))
        {
            if (!isHidden)
                _layout.Void(element);
            return;
        }

        // Formatting may overlap with anything and says nothing about lines.
        if (element.Is(ElementTraits.Formatting) && !isHidden)
            return;
        if (!isHidden)
            _layout.Begin(element);
        var isKept = _open.Push(_layout.Opened(element, isHidden));
        // What could not be kept ends nowhere, so it must change nothing that lasts.
        if (isKept && !isHidden)
            _layout.BeginKept(element);
        if (isKept && _tokens.Tag.IsSelfClosing)
            Close(_open.Count - 1);
    }

    private void End(HtmlElement element)
    {
        var place = EndTags.Closes(element, _open);
        if (place < _open.Count)
            Close(place);
        else if (!_open.IsHidden)
            _layout.StrayEnd(element);
    }

    private void Close(int place)
    {
        while (_open.Count > place)
        {
            var open = _open.Pop();
            _closed++;
            if (!open.IsHidden)
                _layout.Finish(open);
        }
    }
}
