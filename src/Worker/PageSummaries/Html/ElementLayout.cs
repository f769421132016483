using System.Globalization;

namespace LlmQueue.Worker.PageSummaries.Html;

/// <summary>What elements do to the lines of the text when they begin and end.</summary>
internal sealed class ElementLayout(OpenElements open, TextLayout text, TableRows rows, TagReader tag)
{
    private readonly TextLayout _values = new();

    public OpenElement Opened(HtmlElement element, bool isHidden) =>
        new(element, isHidden, text.Lines.Length, element.Name == "ol" ? Number(HtmlAttribute.Start) ?? 1 : null);

    public void Void(HtmlElement element)
    {
        if (element.Role == ElementRole.Image)
            text.WriteImage(Decoded(tag.ValueOf(HtmlAttribute.Alt)));
        else if (element.Role != ElementRole.LineBreak)
            Separate(element);
        // A heading is one line.
        else if (open.Count > 0 && open[open.Count - 1].Element.Role == ElementRole.Heading)
            text.Space();
        else
            text.LineBreak();
    }

    /// <summary>Sets an element apart from what is before it.</summary>
    public void Begin(HtmlElement element)
    {
        if (element.Role == ElementRole.Row)
            rows.BeginRow();
        else if (element.Role == ElementRole.Cell)
            rows.BeginCell();
        else
            Separate(element);
    }

    /// <summary>Begins what lasts until the element ends.</summary>
    public void BeginKept(HtmlElement element)
    {
        switch (element.Role)
        {
            case ElementRole.Heading:
                text.Lines.Mark(new string('#', element.Name[1] - '0') + " ");
                break;
            case ElementRole.Item:
                text.Item(Bullet());
                break;
            case ElementRole.Option:
                text.Item("- ");
                break;
            case ElementRole.Term when element.Name == "dd":
                text.Item(": ");
                break;
            case ElementRole.Quote:
                text.Lines.Indent("> ", onAllLines: true);
                break;
            case ElementRole.Preformatted:
                text.BeginPreformatted();
                break;
            case ElementRole.Table:
                rows.Open();
                break;
            case ElementRole.Caption:
                rows.Caption();
                break;
        }
    }

    public void Finish(OpenElement ended)
    {
        if (ended.Element.Role == ElementRole.Table)
            rows.Close();
        else if (ended.Element.Role == ElementRole.Row)
            rows.EndRow();
        else if (ended.Element.Role == ElementRole.Preformatted)
            text.EndPreformatted();
        text.Outdent(ended.Indent);
        if (ended.Element.Role is ElementRole.Item or ElementRole.Term)
            text.BreakTight();
        else
            Separate(ended.Element);
    }

    public void StrayEnd(HtmlElement element)
    {
        if (element.Role == ElementRole.LineBreak)
            text.LineBreak();
        else
            Separate(element);
    }

    /// <summary>A value or a title as it reads: references decoded, white space collapsed.</summary>
    public string Decoded(ReadOnlySpan<char> value)
    {
        if (value.IsEmpty)
            return "";
        _values.Clear();
        HtmlEntities.Write(value, inAttribute: true, _values);
        return _values.Text.ToString();
    }

    private void Separate(HtmlElement element)
    {
        if (element.Role == ElementRole.List)
            text.Break(open.Top(ElementRole.Item) > open.Scope ? 1 : 2);
        else if (element.Is(ElementTraits.Paragraph))
            text.Break(2);
        else if (element.Is(ElementTraits.Line))
            text.Break(1);
        else if (element.Is(ElementTraits.Spaced))
            text.Space();
    }

    private int? Number(HtmlAttribute attribute) =>
        int.TryParse(tag.ValueOf(attribute), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null;

    private string Bullet()
    {
        var list = open.Top(ElementRole.List);
        if (list < 0 || open[list].Number is not { } next)
            return "- ";
        var number = Number(HtmlAttribute.Value) ?? next;
        open[list] = open[list] with { Number = unchecked(number + 1) };
        return $"{number}. ";
    }
}
