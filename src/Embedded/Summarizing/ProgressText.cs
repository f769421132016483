using LlmQueue.Hosting;
using LlmQueue.Storage.Summaries;

namespace LlmQueue.Embedded.Summarizing;

/// <summary>A snapshot of a summary's progress.</summary>
/// <param name="Summary">Where it stands.</param>
/// <param name="Unreadable">Files that were never handed in.</param>
/// <param name="Elapsed">Since this command began to watch.</param>
/// <param name="Left">An estimate; null while there is nothing to estimate from.</param>
/// <param name="Now">For "in 4 s".</param>
internal sealed record ProgressLook(SummaryProgress Summary, int Unreadable, TimeSpan Elapsed, TimeSpan? Left, DateTime Now)
{
    public int PagesDone => Summary.Progress.PagesDone;

    public int Pages => Summary.Progress.Pages + Unreadable;

    public int PagesFailed => Summary.Progress.PagesFailed + Unreadable;
}

/// <summary>Progress in words, for the terminal and for plain lines alike. Pure.</summary>
internal static class ProgressText
{
    private const int MostWaits = 3;

    public static string Stage(SummaryProgress summary) => summary.State switch
    {
        SummaryStates.Submitted => "Starting",
        SummaryStates.Planning => "Planning what to look for",
        SummaryStates.SummarizingPages => "Summarising pages",
        SummaryStates.Merging => $"Merging, level {Math.Max(1, summary.Progress.Stage - (summary.Question is null ? 1 : 2))} "
            + $"({summary.Progress.StageTasks - summary.Progress.OpenTasks} of {summary.Progress.StageTasks} groups)",
        SummaryStates.Synthesizing => "Writing the summary of the whole",
        SummaryStates.Answering => "Answering the question",
        var end => end,
    };

    /// <summary>Everything below the bar.</summary>
    public static IReadOnlyList<string> Details(ProgressLook look)
    {
        var lines = new List<string>();
        if (look.Summary.Models.Count > 0)
            lines.Add(string.Join(" · ", look.Summary.Models.Select(m => $"{m.Model} {m.Tasks}")));
        lines.AddRange(look.Summary.Waiting.Take(MostWaits).Select(wait => "Waiting: " + Wait(wait, look.Now)));
        if (look.Summary.Waiting.Count > MostWaits)
            lines.Add($"Waiting: {look.Summary.Waiting.Skip(MostWaits).Sum(w => w.Count)} more for other reasons");
        lines.Add(Figures(look));
        return lines.ConvertAll(VisibleText.Line);
    }

    /// <summary>The whole look in one line.</summary>
    public static string Line(ProgressLook look)
    {
        var parts = new List<string> { Stage(look.Summary), $"{look.PagesDone} of {look.Pages} pages" };
        if (look.Summary.Progress.PagesExtracted > 0)
            parts.Add($"{look.Summary.Progress.PagesExtracted} as extracts");
        if (look.PagesFailed > 0)
            parts.Add($"{look.PagesFailed} failed");
        if (look.Summary.Waiting.Count > 0)
            parts.Add($"{look.Summary.Waiting.Sum(w => w.Count)} waiting ({Wait(look.Summary.Waiting[0], look.Now)})");
        parts.Add(Figures(look));
        return VisibleText.Line(string.Join(" · ", parts));
    }

    private static string Wait(WaitView wait, DateTime now) =>
        $"{wait.Count} for {wait.WaitingFor}, {wait.Reason}{Expected(wait.ExpectedAt, now)}";

    private static string Expected(DateTime? at, DateTime now) =>
        at is not { } time ? "" : time <= now ? "; any moment" : $"; the next in {ReportText.Duration((time - now).TotalSeconds)}";

    private static string Figures(ProgressLook look)
    {
        var left = look.Left is { } time ? $", about {ReportText.Duration(Math.Ceiling(time.TotalSeconds))} left" : "";
        return $"calls {look.Summary.CallTotals.Made:N0}, refused {look.Summary.CallTotals.Throttled:N0} · tokens "
            + $"{look.Summary.Usage.InputTokens:N0} in, {look.Summary.Usage.OutputTokens:N0} out · cost "
            + $"{ReportText.Money(look.Summary.CostUsd)} · {ReportText.Duration(look.Elapsed.TotalSeconds)}{left}";
    }
}
