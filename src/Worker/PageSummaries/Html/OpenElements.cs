namespace LlmQueue.Worker.PageSummaries.Html;

/// <summary>An element that has begun and not ended.</summary>
/// <param name="Element">Which.</param>
/// <param name="IsHidden">It, or an element around it, is not for readers.</param>
/// <param name="Indent">How far lines were indented before it.</param>
/// <param name="Number">Of a list: the number of its next item; null for bullets.</param>
internal readonly record struct OpenElement(HtmlElement Element, bool IsHidden, int Indent, int? Number);

/// <summary>
/// The stack of open elements: at most <see cref="Deepest"/>; what is nested deeper is read as if it stood at that depth. The topmost of
/// each name and role is known without a search, so an end tag costs as much as it closes.
/// </summary>
internal sealed class OpenElements
{
    /// <summary>Half of what browsers build: people's pages are 20 to 60 deep.</summary>
    public const int Deepest = 256;

    private readonly OpenElement[] _open = new OpenElement[Deepest];
    private readonly int[] _sameNameBelow = new int[Deepest];
    private readonly int[] _sameRoleBelow = new int[Deepest];
    private readonly int[] _scopeBelow = new int[Deepest];
    private readonly Dictionary<string, int> _topOfName = new(StringComparer.Ordinal);
    private readonly int[] _topOfRole = new int[Enum.GetValues<ElementRole>().Length];

    public OpenElements() => Array.Fill(_topOfRole, -1);

    public int Count { get; private set; }

    /// <summary>The place of the innermost element that end tags do not reach beyond; -1 when there is none.</summary>
    public int Scope { get; private set; } = -1;

    public bool IsHidden => Count > 0 && _open[Count - 1].IsHidden;

    public int Top(string name) => _topOfName.GetValueOrDefault(name, -1);

    public int Top(ElementRole role) => _topOfRole[(int)role];

    public ref OpenElement this[int place] => ref _open[place];

    /// <returns>False when the stack is full: then the element is not kept.</returns>
    public bool Push(OpenElement element)
    {
        if (Count == Deepest)
            return false;
        var place = Count++;
        _open[place] = element;
        _sameNameBelow[place] = Top(element.Element.Name);
        _topOfName[element.Element.Name] = place;
        _sameRoleBelow[place] = Top(element.Element.Role);
        _topOfRole[(int)element.Element.Role] = place;
        _scopeBelow[place] = Scope;
        if (element.Element.Is(ElementTraits.Scope))
            Scope = place;
        return true;
    }

    public OpenElement Pop()
    {
        var place = --Count;
        var element = _open[place];
        if (_sameNameBelow[place] < 0)
            _topOfName.Remove(element.Element.Name);
        else
            _topOfName[element.Element.Name] = _sameNameBelow[place];
        _topOfRole[(int)element.Element.Role] = _sameRoleBelow[place];
        Scope = _scopeBelow[place];
        return element;
    }
}
