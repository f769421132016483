namespace LlmQueue.Worker.Ranking;

/// <summary>How hard a page is to summarise, as far as its looks tell. Pure.</summary>
public static class PageDensityRule
{
    private const int ShortPage = 2500;
    private const int LongPage = 12_000;

    /// <summary>"high" for pages of tables, programs and figures and for long ones, "low" for short prose, else "medium".</summary>
    public static string Decide(string text)
    {
        if (text.Length == 0)
            return "low";
        var (lines, odd, fenced, digits) = (0, 0, false, 0);
        foreach (var raw in text.AsSpan().EnumerateLines())
        {
            var line = raw.Trim();
            if (line.IsEmpty)
                continue;
            lines++;
            var fence = line.StartsWith("```", StringComparison.Ordinal);
            fenced ^= fence;
            // A line of a table, or of a program.
            odd += fenced || fence || line.Count('|') >= 2 || line.Count('\t') >= 2 || line[^1] is ';' or '{' or '}' ? 1 : 0;
        }

        foreach (var c in text)
            digits += char.IsAsciiDigit(c) ? 1 : 0;
        var (structure, figures) = ((double)odd / Math.Max(1, lines), (double)digits / text.Length);
        if (structure > 0.3 || figures > 0.05 || text.Length > LongPage)
            return "high";
        return text.Length < ShortPage && structure < 0.1 && figures < 0.02 ? "low" : "medium";
    }
}
