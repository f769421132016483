namespace LlmQueue.Worker.PageSummaries.Html;

/// <summary>Says whether an element is left out: by what it is, by its attributes, by its own style.</summary>
internal sealed class HiddenParts(HtmlTokenizer tokens)
{
    public bool IsHidden(HtmlElement element)
    {
        // Pages are often hidden as a whole until their scripts have run.
        if (element.Role == ElementRole.Page)
            return false;
        // Navigation that is never closed would take the rest of the page with it.
        if (element.Is(ElementTraits.LeftOut))
            return element.Is(ElementTraits.RawText) || tokens.Tag.IsSelfClosing || tokens.EndTagFollows(element);
        var tag = tokens.Tag;
        // What is found by a search in the page, and then opened, is for readers.
        return (tag.Has(HtmlAttribute.Hidden) && !Is(tag.ValueOf(HtmlAttribute.Hidden), "until-found"))
            || Is(tag.ValueOf(HtmlAttribute.AriaHidden).Trim(), "true")
            || (element.Name == "dialog" && !tag.Has(HtmlAttribute.Open))
            || IsStyledAway(tag.ValueOf(HtmlAttribute.Style));
    }

    private static bool IsStyledAway(ReadOnlySpan<char> style)
    {
        foreach (var range in style.Split(';'))
        {
            var declaration = style[range];
            var colon = declaration.IndexOf(':');
            if (colon < 0)
                continue;
            var property = declaration[..colon].Trim();
            var value = declaration[(colon + 1)..].TrimStart();
            if (Is(property, "display") && value.StartsWith("none", StringComparison.OrdinalIgnoreCase))
                return true;
            if (Is(property, "visibility") && value.StartsWith("hidden", StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }

    private static bool Is(ReadOnlySpan<char> text, string word) => text.Equals(word, StringComparison.OrdinalIgnoreCase);
}
