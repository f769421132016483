namespace LlmQueue.Limits;

/// <summary>
/// An immutable list of ids, kept in one column as text: none of them has a space. The text is kept as it was read, so that a row that is
/// only carried costs no parsing.
/// </summary>
public sealed class IdList : IEquatable<IdList>
{
    private readonly string _text;
    private string[]? _ids;

    private IdList(string text) => _text = text;

    public IReadOnlyList<string> Ids => _ids ??= _text.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    public static IdList Of(IEnumerable<string> ids) => new(string.Join(' ', ids));

    /// <summary>The list whose column holds this text.</summary>
    public static IdList Read(string text) => new(text);

    public bool Equals(IdList? other) => other?._text == _text;

    public override bool Equals(object? obj) => Equals(obj as IdList);

    public override int GetHashCode() => StringComparer.Ordinal.GetHashCode(_text);

    /// <summary>As its column holds it.</summary>
    public override string ToString() => _text;
}
