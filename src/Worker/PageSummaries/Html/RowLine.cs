namespace LlmQueue.Worker.PageSummaries.Html;

/// <summary>The cells of a table's row as one line.</summary>
internal sealed class RowLine
{
    private const string Apart = " | ";

    private readonly TextBuffer _line = new();
    private bool _isFirst = true;

    /// <summary>Empty cells keep the columns apart, but not behind the last word.</summary>
    public ReadOnlySpan<char> Text => _line.Slice(0, _line.Length).Trim();

    public void Clear()
    {
        _line.CutTo(0);
        _isFirst = true;
    }

    public void Add(ReadOnlySpan<char> cell)
    {
        if (!_isFirst)
            Apart.CopyTo(_line.Room(Apart.Length));
        _isFirst = false;
        var isFirstLine = true;
        foreach (var line in cell.EnumerateLines())
        {
            var words = line.Trim();
            var isItem = words.StartsWith("- ", StringComparison.Ordinal);
            if (!isFirstLine && !words.IsEmpty)
                (isItem ? ", " : " ").CopyTo(_line.Room(isItem ? 2 : 1));
            isFirstLine &= words.IsEmpty;
            words = isItem ? words[2..] : words;
            words.CopyTo(_line.Room(words.Length));
            if (!words.IsEmpty)
                _line.Keep();
        }
    }
}
