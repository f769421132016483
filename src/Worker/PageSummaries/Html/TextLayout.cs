namespace LlmQueue.Worker.PageSummaries.Html;

/// <summary>Writes characters as a browser shows them: white space collapsed, but not in preformatted text.</summary>
internal sealed class TextLayout : LineLayout
{
    private bool _isAfterImage;
    private int _preformatted;
    private int _preformattedStart;

    /// <summary>Writes text that stands for an image: never glued to the words beside it.</summary>
    public void WriteImage(string text)
    {
        IsSpaced |= text.Length > 0 && JoinsWord(text[0]);
        foreach (var c in text)
            Put(c);
        _isAfterImage = true;
    }

    /// <summary>A line break within a paragraph: the second in a row leaves a blank line.</summary>
    public void LineBreak()
    {
        if (_preformatted > 0)
            Put('\n');
        else
            Break(Math.Min(2, Breaks + 1));
    }

    public void BeginPreformatted()
    {
        _preformatted++;
        _preformattedStart = Text.Length;
    }

    public void EndPreformatted()
    {
        _preformatted--;
        Text.Trim();
        Breaks = 0;
        IsSpaced = false;
    }

    public void Clear()
    {
        Text.CutTo(0);
        Breaks = 0;
        IsSpaced = _isAfterImage = false;
    }

    public void Put(char c)
    {
        if (_preformatted > 0)
            PutPreformatted(c);
        else if (HtmlSpace.Is(c) || c == '\u00A0')
            IsSpaced = true;
        // Soft hyphens and the like are places where a line may be broken, and no characters of a word.
        else if (c is not ('\u00AD' or '\u200B' or '\uFEFF'))
            PutVisible(c);
    }

    private void PutPreformatted(char c)
    {
        if (c == '\n')
            Breaks += Text.Length > _preformattedStart ? 1 : 0;
        else if (c is ' ' or '\t' or '\u00A0')
        {
            BeginText();
            Text.Append(c == '\u00A0' ? ' ' : c);
        }
        else if (c is not ('\r' or '\f'))
            PutVisible(c);
    }

    private void PutVisible(char c)
    {
        if (_isAfterImage)
            IsSpaced |= JoinsWord(c);
        _isAfterImage = false;
        BeginText();
        Text.Append(c);
        Text.Keep();
    }

    private bool JoinsWord(char next) => Breaks == 0 && char.IsLetterOrDigit(next) && char.IsLetterOrDigit(Text.Last);
}
