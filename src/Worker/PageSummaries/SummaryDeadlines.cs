using System.Threading.Channels;
using LlmQueue.Contracts;
using LlmQueue.Storage.Outbox;
using LlmQueue.Storage.Summaries;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.PageSummaries;

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
