using System.Collections.Frozen;

namespace LlmQueue.Worker.PageSummaries.Html;

/// <summary>What an element is to the layout of its text.</summary>
internal enum ElementRole
{
    None, Page, Paragraph, Heading, List, Item, DefinitionList, Term, Option, Quote, Preformatted, Table, RowGroup, Row, Cell, Caption,
    LineBreak, Image, Title,
}

[Flags]
internal enum ElementTraits
{
    None = 0,

    /// <summary>Begins and ends a line.</summary>
    Line = 1,

    /// <summary>Is set apart by blank lines.</summary>
    Paragraph = 2,

    /// <summary>Is a box in its line: its text is a word of its own.</summary>
    Spaced = 4,

    /// <summary>Has no content and no end tag.</summary>
    Void = 8,

    /// <summary>Its content is not for readers.</summary>
    LeftOut = 16,

    /// <summary>Its content is characters up to its end tag, whatever they look like.</summary>
    RawText = 32,

    /// <summary>As <see cref="RawText"/>, but character references are read.</summary>
    EscapableText = 64,

    /// <summary>End tags inside it close nothing outside it.</summary>
    Scope = 128,

    /// <summary>May overlap with other elements, so it is not kept among the open ones.</summary>
    Formatting = 256,
}

/// <summary>An element by its name. All that are not in the table are inline.</summary>
internal sealed record HtmlElement(string Name, ElementRole Role, ElementTraits Traits)
{
    /// <summary>Longer names are cut: no element of HTML has one, and what is not known is compared by its beginning.</summary>
    public const int LongestName = 48;

    private static readonly FrozenDictionary<string, HtmlElement> Known = Table().ToFrozenDictionary(e => e.Name, StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, HtmlElement>.AlternateLookup<ReadOnlySpan<char>> ByName =
        Known.GetAlternateLookup<ReadOnlySpan<char>>();

    public bool IsBlock => (Traits & (ElementTraits.Line | ElementTraits.Paragraph)) != ElementTraits.None;

    public bool Is(ElementTraits trait) => (Traits & trait) != ElementTraits.None;

    /// <param name="name">In lower case.</param>
    public static HtmlElement Named(ReadOnlySpan<char> name)
    {
        if (ByName.TryGetValue(name, out var known))
            return known;
        // Custom elements are cards, rows, buttons much more often than parts of a word.
        return new HtmlElement(name.ToString(), ElementRole.None, name.Contains('-') ? ElementTraits.Spaced : ElementTraits.None);
    }

    private static IEnumerable<HtmlElement> Table() =>
    [
        .. All("html body main", ElementRole.Page, ElementTraits.Paragraph),
        .. All("p", ElementRole.Paragraph, ElementTraits.Paragraph),
        .. All("h1 h2 h3 h4 h5 h6", ElementRole.Heading, ElementTraits.Paragraph),
        .. All("ul ol menu dir", ElementRole.List, ElementTraits.Line),
        .. All("li", ElementRole.Item, ElementTraits.Line),
        .. All("dl", ElementRole.DefinitionList, ElementTraits.Paragraph),
        .. All("dt dd", ElementRole.Term, ElementTraits.Line),
        .. All("option", ElementRole.Option, ElementTraits.Line),
        .. All("blockquote", ElementRole.Quote, ElementTraits.Paragraph),
        .. All("pre listing", ElementRole.Preformatted, ElementTraits.Paragraph),
        .. All("textarea", ElementRole.Preformatted, ElementTraits.Paragraph | ElementTraits.EscapableText),
        .. All("xmp", ElementRole.Preformatted, ElementTraits.Paragraph | ElementTraits.RawText),
        .. All("table", ElementRole.Table, ElementTraits.Paragraph | ElementTraits.Scope),
        .. All("thead tbody tfoot", ElementRole.RowGroup, ElementTraits.None),
        .. All("tr", ElementRole.Row, ElementTraits.None),
        .. All("td th", ElementRole.Cell, ElementTraits.Scope),
        .. All("caption", ElementRole.Caption, ElementTraits.Line | ElementTraits.Scope),
        .. All("br", ElementRole.LineBreak, ElementTraits.Void),
        .. All("img", ElementRole.Image, ElementTraits.Void),
        .. All("title", ElementRole.Title, ElementTraits.LeftOut | ElementTraits.EscapableText),
        .. All("article aside details dialog fieldset figure frameset header hgroup search section", ElementRole.None,
            ElementTraits.Paragraph),
        .. All("address center div figcaption form legend noframes optgroup summary", ElementRole.None, ElementTraits.Line),
        .. All("hr", ElementRole.None, ElementTraits.Paragraph | ElementTraits.Void),
        .. All("button select label", ElementRole.None, ElementTraits.Spaced),
        .. All("object applet marquee", ElementRole.None, ElementTraits.Spaced | ElementTraits.Scope),
        .. All("input embed", ElementRole.None, ElementTraits.Spaced | ElementTraits.Void),
        .. All("area base basefont bgsound col frame keygen link meta param source track wbr", ElementRole.None, ElementTraits.Void),
        .. All("script style iframe noembed", ElementRole.None, ElementTraits.LeftOut | ElementTraits.RawText),
        .. All("nav footer", ElementRole.None, ElementTraits.LeftOut | ElementTraits.Paragraph),
        .. All("template svg", ElementRole.None, ElementTraits.LeftOut | ElementTraits.Scope),
        .. All("noscript datalist audio video canvas annotation annotation-xml", ElementRole.None, ElementTraits.LeftOut),
        .. All("a b big code em font i nobr s small strike strong tt u", ElementRole.None, ElementTraits.Formatting),
    ];

    private static IEnumerable<HtmlElement> All(string names, ElementRole role, ElementTraits traits) =>
        names.Split(' ').Select(name => new HtmlElement(name, role, traits));
}
