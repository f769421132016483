using LlmQueue.Contracts;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.PageSummaries.Html;

namespace LlmQueue.Worker.PageSummaries.Pages;

/// <summary>A page's readable text and how it is called.</summary>
public sealed record ReadablePage(string Title, string Text);

/// <summary>Makes pages readable and cuts them where a reader would: at headings, paragraphs, sentences, in this order. Pure.</summary>
public static class PageText
{
    public static ReadablePage Read(PageContent page, int number)
    {
        var (title, text) = page.Html is { } html ? HtmlText.Read(html) : (null, page.Text ?? "");
        text = text.ReplaceLineEndings("\n").Trim();
        return new ReadablePage(Named(page.Title) ?? Named(title) ?? FirstHeading(text) ?? $"Page {number}", text);
    }

    /// <summary>Cuts a text into parts of at most <paramref name="maxTokens"/> each, none empty. One part when it fits whole.</summary>
    public static IReadOnlyList<string> Split(string text, int maxTokens)
    {
        if (Tokens(text) <= maxTokens)
            return [text];
        var parts = new List<string>();
        var part = new List<string>();
        var size = 0;
        foreach (var piece in Pieces(text, maxTokens))
        {
            var tokens = Tokens(piece);
            if (part.Count > 0 && size + tokens > maxTokens)
            {
                parts.Add(string.Join("\n\n", part));
                part.Clear();
                size = 0;
            }

            part.Add(piece);
            size += tokens;
        }

        if (part.Count > 0)
            parts.Add(string.Join("\n\n", part));
        return parts;
    }

    public static int Tokens(string text) => TokenEstimateRule.EstimatePromptTokens([new LlmMessage("user", text)], TokenCalibration.None);

    /// <summary>The beginning of a text, at most so many tokens of it.</summary>
    public static string Beginning(string text, int maxTokens) => Split(text, Math.Max(8, maxTokens))[0];

    private static IEnumerable<string> Pieces(string text, int maxTokens)
    {
        foreach (var paragraph in text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (Tokens(paragraph) <= maxTokens)
                yield return paragraph;
            else
                foreach (var piece in Halves(paragraph, maxTokens))
                    yield return piece;
        }
    }

    /// <summary>
    /// A paragraph too long for one call: halved at the line, sentence or word nearest to its middle until each half fits.
    /// </summary>
    private static IEnumerable<string> Halves(string text, int maxTokens)
    {
        if (Tokens(text) <= maxTokens || text.Length < 2)
            return [text];
        var middle = text.Length / 2;
        var cut = Nearest(text, middle, "\n") ?? Nearest(text, middle, ". ") ?? Nearest(text, middle, " ") ?? middle;
        if (char.IsLowSurrogate(text[cut]))
            cut--;
        if (cut <= 0)
            cut = 1;
        return Halves(text[..cut].Trim(), maxTokens).Concat(Halves(text[cut..].Trim(), maxTokens)).Where(p => p.Length > 0);
    }

    private static int? Nearest(string text, int middle, string mark)
    {
        var before = text.LastIndexOf(mark, middle, StringComparison.Ordinal);
        var after = text.IndexOf(mark, middle, StringComparison.Ordinal);
        var cut = before < 0 ? after : after < 0 || middle - before <= after - middle ? before : after;
        // A cut at the very edge would not make the text shorter.
        return cut + mark.Length > text.Length / 8 && cut + mark.Length < text.Length * 7 / 8 ? cut + mark.Length : null;
    }

    private static string? FirstHeading(string text)
    {
        foreach (var line in text.AsSpan(0, Math.Min(text.Length, 5000)).EnumerateLines())
            if (line.StartsWith("# "))
                return Named(line[2..].ToString());
        return null;
    }

    private static string? Named(string? title)
    {
        var clean = title?.Trim();
        return string.IsNullOrEmpty(clean) ? null : clean.Length <= 200 ? clean : clean[..200];
    }
}
