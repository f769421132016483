using System.Threading.Channels;
using LlmQueue.Contracts;
using LlmQueue.Storage.Outbox;
using LlmQueue.Storage.Summaries;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.PageSummaries;

/// <summary>Divides a summary's time, so that there is an answer before its deadline. Pure.</summary>
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

/// <summary>
/// Sends SummaryDeadlineNears at the moment a summary's result must be made of what there is. What a crash forgets, the rescuer's sweep
/// notes again.
/// </summary>
public sealed class SummaryDeadlines(CommandSender commandSender, TimeProvider clock, ILogger<SummaryDeadlines> logger) : BackgroundService
{
    private static readonly TimeSpan LongestSleep = TimeSpan.FromHours(1);

    private readonly Channel<(Guid Summary, DateTime At)> _noted = Channel.CreateUnbounded<(Guid, DateTime)>();

    public void Note(SummaryRow summary)
    {
        if (DeadlineRule.FinishBy(summary) is { } at)
            _noted.Writer.TryWrite((summary.CorrelationId, at));
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // By summary: every stage and every sweep notes it again.
        var times = new Dictionary<Guid, DateTime>();
        try
        {
            var more = _noted.Reader.WaitToReadAsync(stoppingToken).AsTask();
            while (true)
            {
                if (more.IsCompleted)
                {
                    while (_noted.Reader.TryRead(out var noted))
                        times[noted.Summary] = noted.At;
                    more = _noted.Reader.WaitToReadAsync(stoppingToken).AsTask();
                }

                var now = clock.GetUtcNow().UtcDateTime;
                var due = times.Where(t => t.Value <= now).Select(t => t.Key).ToList();
                due.ForEach(id => times.Remove(id));
                await commandSender.Send([.. due.Select(id => new SummaryDeadlineNears(id))], stoppingToken);
                if (times.Count == 0)
                {
                    await more;
                    continue;
                }

                var sleep = times.Values.Min() - clock.GetUtcNow().UtcDateTime;
                if (sleep > TimeSpan.Zero)
                    await Task.WhenAny(more, Task.Delay(sleep < LongestSleep ? sleep : LongestSleep, clock, stoppingToken));
                stoppingToken.ThrowIfCancellationRequested();
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            logger.LogDebug("Deadlines are noted again by whoever works next.");
        }
    }
}
