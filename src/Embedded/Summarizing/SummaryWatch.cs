using LlmQueue.Embedded.Clients;
using LlmQueue.Storage.Queue;
using LlmQueue.Storage.Summaries;

namespace LlmQueue.Embedded.Summarizing;

/// <summary>Follows one summary to its end, or until it cannot make progress any more.</summary>
internal sealed class SummaryWatch(IQueueClient queue, TimeProvider clock)
{
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// Looks in a row at which every key is refused before that is believed: at a start, the first answers may still be on their way.
    /// </summary>
    private const int SureOfRefusal = 8;

    /// <returns>Null when it has ended; else why it cannot go on, as a sentence.</returns>
    public async Task<string?> Follow(Guid id, int unreadable, IProgressDisplay display, CancellationToken stop)
    {
        var began = clock.GetTimestamp();
        var pace = new Pace();
        for (var refusals = 0; ;)
        {
            var summary = await queue.Progress(id, stop)
                ?? throw new RefusalException($"The summary {id} was removed while it was watched.");
            var elapsed = clock.GetElapsedTime(began);
            display.Show(new ProgressLook(summary, unreadable, elapsed, pace.Left(summary, elapsed), clock.GetUtcNow().UtcDateTime));
            if (SummaryStates.Ends.Contains(summary.State))
                return null;
            var stuck = summary.CallTotals.Open == 0 && summary.Waiting.Sum(w => w.Count) > 0;
            var refused = stuck ? WhyNoKey(await queue.Queue(stop)) : null;
            refusals = refused is null ? 0 : refusals + 1;
            if (refusals >= SureOfRefusal)
                return refused;
            await Task.Delay(Between, clock, stop);
        }
    }

    // Keys that are no longer set keep their rows; only a bucket tells which can still be asked.
    private static string? WhyNoKey(QueueView queue)
    {
        var refused = queue.Keys.Where(k => k.RefusedReason is not null).ToList();
        var waitsOnlyForThem = refused.Count > 0
            && queue.Waiting.All(line => line.Buckets.Count > 0
                && line.Buckets.All(b => queue.Buckets.Any(known => known.Id == b && known.DisabledReason is not null)));
        return !waitsOnlyForThem ? null
            : $"No key is accepted: {string.Join("; ", refused.Select(k => $"{k.Alias}: {k.RefusedReason}"))}. "
                + "Put a valid key into the environment or .env and run the same command again; what was done is kept.";
    }
}

/// <summary>Estimates how long the pages will still take, from how long the earlier ones took.</summary>
internal sealed class Pace
{
    private (int Done, TimeSpan At)? first;

    public TimeSpan? Left(SummaryProgress summary, TimeSpan elapsed)
    {
        if (summary.State != SummaryStates.SummarizingPages)
            return null;
        var ended = summary.Progress.StageTasks - summary.Progress.OpenTasks;
        first ??= (ended, elapsed);
        var done = ended - first.Value.Done;
        // Before a few have ended, any figure would jump about.
        return done < 3 ? null : (elapsed - first.Value.At) / done * summary.Progress.OpenTasks;
    }
}
