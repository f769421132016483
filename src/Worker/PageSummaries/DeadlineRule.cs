using System.Threading.Channels;
using LlmQueue.Storage.Summaries;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.PageSummaries;

/// <summary>How a summary's time is divided, so that there is an answer before its deadline. Pure.</summary>
public static class DeadlineRule
{
    private static readonly TimeSpan LeastMargin = TimeSpan.FromSeconds(0.5), MostMargin = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LeastShare = TimeSpan.FromSeconds(1), MostShare = TimeSpan.FromSeconds(45);

    /// <summary>What it takes to extract one page, with all there is around it: measured at 1 to 2 ms for pages of 16 KB.</summary>
    private static readonly TimeSpan PerPage = TimeSpan.FromMilliseconds(2);

    /// <summary>When the result must be made of what there is: a tenth of the time before the deadline. Null without a deadline.</summary>
    public static DateTime? FinishBy(SummaryRow summary)
    {
        if (summary.Deadline is not { } deadline)
            return null;
        var span = deadline - summary.SubmittedAt;
        var margin = Clamp(span / 10, LeastMargin, MostMargin) + (PerPage * summary.Pages);
        return deadline - (margin < span / 2 ? margin : span / 2);
    }

    /// <summary>When the tasks of a stage that still wait are given up, so that time is left for the stages after it.</summary>
    public static DateTime? StageEnd(SummaryRow summary, string role, DateTime now)
    {
        if (FinishBy(summary) is not { } finish)
            return null;
        var share = Clamp((finish - summary.SubmittedAt) / 8, LeastShare, MostShare);
        var stagesAfter = (role switch { SummaryRoles.Page => 2, SummaryRoles.Merge => 1, _ => 0 })
            + (summary.Question is not null && role is not SummaryRoles.Answer ? 1 : 0);
        // A plan only helps: it may take no more than one share of the time, whatever else there is.
        var end = role == SummaryRoles.Plan ? now + share : finish - (share * stagesAfter);
        return end > now ? end : finish;
    }

    private static TimeSpan Clamp(TimeSpan value, TimeSpan least, TimeSpan most) => value < least ? least : value > most ? most : value;
}
