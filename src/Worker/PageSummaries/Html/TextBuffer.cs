namespace LlmQueue.Worker.PageSummaries.Html;

/// <summary>The text written so far. White space at its end does not count until a word follows.</summary>
internal sealed class TextBuffer
{
    private char[] _text = new char[1024];

    /// <summary>The length with the white space at the end.</summary>
    public int Written { get; private set; }

    /// <summary>The length up to the last character that is no white space.</summary>
    public int Length { get; private set; }

    public char Last => Written > 0 ? _text[Written - 1] : '\n';

    public ReadOnlySpan<char> Slice(int start, int end) => _text.AsSpan(start, end - start);

    public void Append(char c) => Room(1)[0] = c;

    /// <summary>Appends so many characters for the caller to fill in.</summary>
    public Span<char> Room(int characters)
    {
        if (Written + characters > _text.Length)
            Array.Resize(ref _text, Math.Max(_text.Length * 2, Written + characters));
        Written += characters;
        return _text.AsSpan(Written - characters, characters);
    }

    /// <summary>What is written counts.</summary>
    public void Keep() => Length = Written;

    /// <summary>Takes back what does not count.</summary>
    public void Trim() => Written = Length;

    public void CutTo(int length) => Written = Length = length;

    public override string ToString() => new(_text, 0, Length);
}
