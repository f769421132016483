namespace LlmQueue.Worker.PageSummaries.Html;

/// <summary>What lines begin with: the indent of lists and quotes around them, and once a bullet, a number or a heading's mark.</summary>
internal sealed class LineStarts
{
    private const int Deepest = 24;

    private readonly char[] _indent = new char[Deepest];

    // As _indent, but with the bullets that are not written yet.
    private readonly char[] _first = new char[Deepest];
    private string _mark = "";

    public int Length { get; private set; }

    /// <summary>Indents below this place are not written: those around a table's row.</summary>
    public int From { get; set; }

    public int Width => Math.Max(0, Length - From) + _mark.Length;

    /// <summary>What the next line begins with, after its indent.</summary>
    public void Mark(string mark) => _mark = mark;

    /// <summary>Indents the lines to come: the first of them by the mark and the others by spaces, or all by the mark.</summary>
    public void Indent(string mark, bool onAllLines)
    {
        if (Length + mark.Length > Deepest)
        {
            _mark = mark;
            return;
        }

        mark.CopyTo(_first.AsSpan(Length));
        if (onAllLines)
            mark.CopyTo(_indent.AsSpan(Length));
        else
            _indent.AsSpan(Length, mark.Length).Fill(' ');
        Length += mark.Length;
    }

    public void Outdent(int length)
    {
        Length = Math.Min(Length, length);
        _mark = "";
    }

    /// <summary>Begins a line.</summary>
    /// <param name="into">Room for <see cref="Width"/> characters; none when the line begins with nothing.</param>
    public void Begin(Span<char> into)
    {
        var indent = Math.Max(0, Length - From);
        if (!into.IsEmpty)
        {
            _first.AsSpan(From, indent).CopyTo(into);
            _mark.CopyTo(into[indent..]);
        }

        _indent.AsSpan(Math.Min(From, Length), indent).CopyTo(_first.AsSpan(Math.Min(From, Length)));
        _mark = "";
    }
}
