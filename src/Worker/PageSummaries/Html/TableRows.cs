
namespace LlmQueue.Worker.PageSummaries.Html;

/// <summary>
/// Makes lines of table rows. Cells are written as paragraphs while they are read; when a row ends whose cells are short, they are joined
/// to one line. A row whose cells hold tables or many lines, or that has one cell, is layout and stays as it is, so each character is
/// moved at most once.
/// </summary>
internal sealed class TableRows(TextLayout text)
{
    private const int MostLinesOfCell = 3;
    private const int Deepest = 16;

    private readonly Table[] _tables = new Table[Deepest];
    private readonly List<int> _cells = [];
    private readonly RowLine _line = new();
    private int _depth;

    public long Steps { get; private set; }

    // A table nested deeper than is kept: its cells are words and its rows lines.
    private bool IsPlain => _depth is 0 or > Deepest;

    private ref Table Current => ref _tables[_depth - 1];

    public void Open()
    {
        text.Break(2);
        if (_depth is > 0 and <= Deepest)
            Current.HoldsTable = true;
        if (++_depth <= Deepest)
            Current = new Table { FirstCell = _cells.Count };
    }

    public void Close()
    {
        EndRow();
        _depth--;
        text.Break(2);
    }

    public void Caption()
    {
        text.Break(1);
        if (!IsPlain && Current.Rows == 0)
            Current.PreviousIsLine = Current.PreviousIsJoined = true;
    }

    public void BeginRow()
    {
        EndRow();
        text.Break(IsPlain ? 1 : 2);
        if (IsPlain)
            return;
        Current.IsInRow = true;
        Current.HoldsTable = false;
        Current.RowStart = text.Text.Length;
        Current.IndentFrom = text.Lines.From;
        text.Lines.From = text.Lines.Length;
    }

    public void BeginCell()
    {
        if (IsPlain)
        {
            text.Space();
            return;
        }
        if (!Current.IsInRow)
            BeginRow();
        text.Break(2);
        _cells.Add(text.Text.Length);
    }

    public void EndRow()
    {
        if (IsPlain || !Current.IsInRow)
            return;
        ref var table = ref Current;
        table.IsInRow = false;
        text.Lines.From = table.IndentFrom;
        var (filled, isLine) = Measure();
        if (filled > 0)
        {
            var isJoined = filled > 1 && isLine;
            var isBeside = table.PreviousIsLine && isLine && (isJoined || table.PreviousIsJoined);
            if (isJoined || (isLine && isBeside))
                text.Replace(table.RowStart, Joined(), isBeside ? 1 : 2);
            (table.PreviousIsLine, table.PreviousIsJoined) = (isLine, isJoined);
            table.Rows++;
        }

        _cells.RemoveRange(table.FirstCell, _cells.Count - table.FirstCell);
        text.Break(2);
    }

    private ReadOnlySpan<char> Cell(int index)
    {
        var end = index + 1 < _cells.Count ? _cells[index + 1] : text.Text.Length;
        return text.Text.Slice(_cells[index], end).Trim();
    }

    private (int Filled, bool IsLine) Measure()
    {
        if (Current.HoldsTable)
            return (1, false);
        var filled = 0;
        var most = 0;
        for (var i = Current.FirstCell; i < _cells.Count; i++)
        {
            var cell = Cell(i);
            Steps += cell.Length;
            filled += cell.IsEmpty ? 0 : 1;
            most = Math.Max(most, cell.Count('\n') + 1);
        }

        var firstCell = _cells.Count > Current.FirstCell ? _cells[Current.FirstCell] : text.Text.Length;
        var isTextOutside = firstCell > Current.RowStart;
        return (isTextOutside ? Math.Max(1, filled) : filled, !isTextOutside && most <= (filled > 1 ? MostLinesOfCell : 1));
    }

    private ReadOnlySpan<char> Joined()
    {
        _line.Clear();
        for (var i = Current.FirstCell; i < _cells.Count; i++)
            _line.Add(Cell(i));
        return _line.Text;
    }

    private struct Table
    {
        public int FirstCell;
        public int RowStart;
        public int IndentFrom;
        public int Rows;
        public bool IsInRow;
        public bool HoldsTable;
        public bool PreviousIsLine;
        public bool PreviousIsJoined;
    }
}
