using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Hosting;
using LlmQueue.Storage.Summaries;

namespace LlmQueue.Embedded.Summarizing;

/// <summary>A report in the three forms it is given out in. Pure.</summary>
internal static class ReportText
{
    private const int LongestReason = 100;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static string ToJson(SummaryReport report) => JsonSerializer.Serialize(report, Json) + "\n";

    /// <summary>For the screen: the whole, the answer, what failed, the figures.</summary>
    public static string ToScreen(SummaryReport report)
    {
        var text = new StringBuilder();
        if (report.Summary is not null)
            text.AppendLine((report.IsExtract ? "Extract (no model wrote this): " : "") + VisibleText.Block(report.Summary.Trim()))
                .AppendLine();
        if (report.Question is not null)
            text.AppendLine(VisibleText.Line($"Question: {report.Question}"))
                .AppendLine(report.Answer is null ? "It was not answered." : VisibleText.Block($"Answer: {report.Answer.Trim()}"))
                .AppendLine();
        if (report.Reason is not null)
            text.AppendLine(VisibleText.Line(report.Reason)).AppendLine();
        foreach (var page in Failed(report))
            text.AppendLine(VisibleText.Line($"Page {page.Number}, {page.Title}: {page.State}. {page.Reason}"));
        if (report.PagesFailed > 0)
            text.AppendLine();
        return text.Append(Aligned(ByModel(report))).AppendLine().Append(Aligned(Totals(report))).ToString();
    }

    /// <summary>For --out.</summary>
    public static string ToMarkdown(SummaryReport report)
    {
        var text = new StringBuilder();
        text.AppendLine($"# Summary of {Count(report.Pages.Count, "page")}").AppendLine();
        if (report.Simulated)
            text.AppendLine("> The answers are **simulated**: no provider had a key.").AppendLine();
        if (report.Question is not null)
            text.AppendLine($"**Question:** {report.Question}").AppendLine()
                .AppendLine($"**Answer:** {report.Answer?.Trim() ?? "It was not answered."}").AppendLine();
        if (report.Summary is not null)
            text.AppendLine(report.IsExtract ? "## The whole (an extract, no model wrote it)" : "## The whole")
                .AppendLine().AppendLine(report.Summary.Trim()).AppendLine();
        if (report.Reason is not null)
            text.AppendLine($"_{report.Reason}_").AppendLine();
        text.AppendLine("## The pages").AppendLine();
        foreach (var page in report.Pages)
        {
            text.AppendLine($"### {page.Number}. {page.Title}").AppendLine();
            text.AppendLine(
                page.Summary is null || page.State == PageStates.Extracted ? $"**{page.State}:** {page.Reason}" : $"_{page.Model}_")
                .AppendLine();
            if (page.Summary is not null)
                text.AppendLine(page.Summary.Trim()).AppendLine();
        }

        text.AppendLine("## The figures").AppendLine();
        return text.Append(Piped(ByModel(report))).AppendLine().Append(Piped(Totals(report))).ToString();
    }

    public static string Money(decimal? usd) =>
        usd switch { null => "unknown", 0 => "$0", _ => "$" + usd.Value.ToString("0.00####", CultureInfo.InvariantCulture) };

    public static string Duration(double seconds) => seconds < 60
        ? seconds.ToString("0.0", CultureInfo.InvariantCulture) + " s"
        : TimeSpan.FromSeconds(Math.Round(seconds)).ToString(seconds < 3600 ? @"m\:ss" : @"h\:mm\:ss", CultureInfo.InvariantCulture);

    public static string Count(long count, string what) => $"{count:N0} {what}{(count == 1 ? "" : "s")}";

    private static IEnumerable<PageResult> Failed(SummaryReport report) => report.Pages.Where(page => page.Summary is null);

    private static List<string[]> ByModel(SummaryReport report)
    {
        var rows = new List<string[]> { new[] { "Model", "Pages", "Answers", "Input tokens", "Output tokens", "Cost" } };
        rows.AddRange(report.Models.Select(
            m => new[] { m.Model, N(report.PagesOf(m.Model)), N(m.Tasks), N(m.InputTokens), N(m.OutputTokens), Money(m.CostUsd) }));
        // A page that was cut into parts may be of several models, so the column can add up to more.
        rows.Add(["All", N(report.PagesDone), N(report.Models.Sum(m => m.Tasks)), N(report.Usage.InputTokens), N(report.Usage.OutputTokens),
            Money(report.CostUsd)]);
        return rows;
    }

    private static List<string[]> Totals(SummaryReport report)
    {
        var rows = new List<string[]>
        {
            new[] { "In all", "" },
            new[]
            {
                "Pages", report.PagesFailed == 0
                    ? N(report.Pages.Count)
                    : $"{N(report.PagesDone)} of {N(report.Pages.Count)}, {N(report.PagesFailed)} failed",
            },
            new[] { "Calls made", N(report.Calls) },
            new[] { "Calls refused for a limit", N(report.Refused) },
            new[] { "Calls that met a fault", N(report.Retried) },
            new[] { "Times a task waited", N(report.Deferrals.Sum(d => d.Count)) },
        };
        if (report.PagesExtracted > 0)
            rows.Insert(2, ["Pages as extracts, no model wrote them", N(report.PagesExtracted)]);
        rows.AddRange(report.Deferrals.Select(d => new[] { "  because " + Short(d.Reason), N(d.Count) }));
        rows.Add(["Time", Duration(report.Seconds)]);
        return rows;
    }

    private static string Aligned(List<string[]> given)
    {
        var rows = given.ConvertAll(row => Array.ConvertAll(row, VisibleText.Line));
        var widths = rows[0].Select((_, column) => rows.Max(row => row[column].Length)).ToArray();
        var text = new StringBuilder();
        for (var i = 0; i < rows.Count; i++)
        {
            // Names to the left, figures to the right.
            text.AppendLine(
                string.Join("  ", rows[i].Select((cell, column) => column == 0 ? cell.PadRight(widths[0]) : cell.PadLeft(widths[column])))
                    .TrimEnd());
            if (i == 0)
                text.AppendLine(new string('-', widths.Sum() + (2 * (widths.Length - 1))));
        }

        return text.ToString();
    }

    private static string Piped(List<string[]> rows)
    {
        var text = new StringBuilder();
        for (var i = 0; i < rows.Count; i++)
        {
            text.AppendLine($"| {string.Join(" | ", rows[i].Select(cell => cell.Trim().Replace("|", "\\|", StringComparison.Ordinal)))} |");
            if (i == 0)
                text.AppendLine($"|{string.Concat(rows[0].Select((_, column) => column == 0 ? "---|" : "---:|"))}");
        }

        return text.ToString();
    }

    // A provider's own words can be a paragraph; the task's history has them whole.
    private static string Short(string reason) => reason.Length <= LongestReason ? reason : reason[..LongestReason] + "…";

    private static string N(long number) => number.ToString("N0", CultureInfo.InvariantCulture);
}
