namespace LlmQueue.Worker.PageSummaries.Html;

/// <summary>
/// Which open elements a tag ends, after https://html.spec.whatwg.org/multipage/parsing.html#parsing-main-inbody: the place of the lowest
/// of them; <see cref="None"/> when it ends none.
/// </summary>
internal static class EndTags
{
    public const int None = int.MaxValue;

    /// <summary>What an end tag closes.</summary>
    public static int Closes(HtmlElement element, OpenElements open)
    {
        // Text after the end of the body belongs to the body.
        if (element.Role == ElementRole.Page)
            return None;
        var place = element.Role == ElementRole.Heading ? open.Top(ElementRole.Heading) : open.Top(element.Name);
        var limit = element.Role switch
        {
            ElementRole.Table => -1,
            ElementRole.RowGroup or ElementRole.Row or ElementRole.Cell or ElementRole.Caption => open.Top(ElementRole.Table),
            // What is left out ends by all means, so that nothing unclosed in it takes more than that.
            _ => element.Is(ElementTraits.LeftOut) ? -1 : open.Scope,
        };
        return place > limit || (place >= 0 && place == open.Scope) ? place : None;
    }

    /// <summary>What a start tag closes, because people may leave out the end tags of paragraphs, items, rows and cells.</summary>
    public static int ImpliedBy(HtmlElement element, OpenElements open)
    {
        var place = element.IsBlock && element.Role is not (ElementRole.Page or ElementRole.Caption)
            ? Above(open.Scope, open.Top(ElementRole.Paragraph))
            : None;
        var table = open.Top(ElementRole.Table);
        return Math.Min(place, element.Role switch
        {
            // The page's main part is in no navigation; one that is there was not closed.
            ElementRole.Page when element.Name == "main" => Above(open.Scope, open.Top("nav")),
            ElementRole.Heading when open.Top(ElementRole.Heading) == open.Count - 1 => Above(open.Scope, open.Top(ElementRole.Heading)),
            ElementRole.Item => Above(Math.Max(open.Scope, open.Top(ElementRole.List)), open.Top(ElementRole.Item)),
            ElementRole.Term => Above(Math.Max(open.Scope, open.Top(ElementRole.DefinitionList)), open.Top(ElementRole.Term)),
            ElementRole.Option => Above(open.Scope, open.Top(ElementRole.Option)),
            ElementRole.Cell => Lowest(table, open, ElementRole.Cell, ElementRole.Caption),
            ElementRole.Row => Lowest(table, open, ElementRole.Row, ElementRole.Cell, ElementRole.Caption),
            ElementRole.RowGroup or ElementRole.Caption =>
                Lowest(table, open, ElementRole.RowGroup, ElementRole.Row, ElementRole.Cell, ElementRole.Caption),
            _ => None,
        });
    }

    private static int Lowest(int limit, OpenElements open, params ReadOnlySpan<ElementRole> roles)
    {
        var lowest = None;
        foreach (var role in roles)
            lowest = Math.Min(lowest, Above(limit, open.Top(role)));
        return lowest;
    }

    private static int Above(int limit, int place) => place > limit ? place : None;
}
