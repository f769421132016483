namespace LlmQueue.Worker.PageSummaries.Html;

/// <summary>
/// Keeps lines and paragraphs apart and indents what is in lists. Line breaks and spaces are written when text follows, so none is left at
/// an end. What is written is never longer than the HTML before it but for <see cref="Slack"/>: where indents and marks would make it so,
/// they are left out.
/// </summary>
internal class LineLayout
{
    public const int Slack = 1000;

    private bool _isNewItem;

    /// <summary>How much HTML was read, which bounds what may be written.</summary>
    public int Consumed { get; set; }

    public TextBuffer Text { get; } = new();

    public LineStarts Lines { get; } = new();

    /// <summary>Line breaks asked for and not yet written.</summary>
    protected int Breaks { get; set; }

    protected bool IsSpaced { get; set; }

    public void Space() => IsSpaced = true;

    /// <summary>Ends the line; with two, leaves one blank.</summary>
    public void Break(int lines)
    {
        IsSpaced = false;
        // What an item begins with stands beside its bullet.
        if (Text.Length > 0 && !_isNewItem)
            Breaks = Math.Max(Breaks, lines);
    }

    /// <summary>As <see cref="Break"/>, but takes back a blank line that was asked for before.</summary>
    public void BreakTight()
    {
        IsSpaced = false;
        Breaks = Math.Min(1, Text.Length);
    }

    /// <summary>Begins an item: its first line has a bullet or a number.</summary>
    public void Item(string bullet)
    {
        Lines.Indent(bullet, onAllLines: false);
        _isNewItem = true;
    }

    public void Outdent(int length)
    {
        Lines.Outdent(length);
        _isNewItem = false;
    }

    /// <summary>Replaces all that was written since a place by one line.</summary>
    public void Replace(int from, ReadOnlySpan<char> line, int breaks)
    {
        Text.CutTo(from);
        Breaks = from == 0 ? 0 : breaks;
        BeginText();
        line.CopyTo(Text.Room(line.Length));
        Text.Keep();
    }

    /// <summary>Writes the breaks or the space that were asked for, and what the line begins with.</summary>
    protected void BeginText()
    {
        if (Text.Written == 0 || Breaks > 0)
        {
            for (; Breaks > 0; Breaks--)
                Text.Append('\n');
            var width = Lines.Width;
            Lines.Begin(Text.Room(Text.Written + width <= Consumed + Slack ? width : 0));
            _isNewItem = false;
        }
        else if (IsSpaced)
        {
            Text.Append(' ');
        }

        IsSpaced = false;
    }
}
