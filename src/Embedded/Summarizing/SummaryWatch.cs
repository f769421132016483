using LlmQueue.Store;
using LlmQueue.Store.Rows;
using LlmQueue.Store.Settings;
using LlmQueue.Store.Views;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Embedded.Summarizing;

/// <summary>Follows one summary to its end, or to where nothing more can come of it.</summary>
internal sealed class SummaryWatch(SummaryViews views, IDbContextFactory<QueueDb> contexts, QueueSettings settings, TimeProvider clock)
{
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(250);

    /// <summary>Looks with every key refused before it is believed: the first answers of a start may overlap.</summary>
    private const int SureOfRefusal = 8;

    /// <returns>Null when it has ended; else why it cannot go on, as a sentence.</returns>
    public async Task<string?> Follow(Guid id, int unreadable, IProgressDisplay display, CancellationToken stop)
    {
        var began = clock.GetTimestamp();
        var pace = new Pace();
        for (var refusals = 0; ;)
        {
            var summary = await views.ReadProgress(id, stop) ?? throw new InvalidOperationException($"The summary {id} was removed while it was watched.");
            var elapsed = clock.GetElapsedTime(began);
            var calls = await views.CountCalls(id, stop);
            display.Show(new ProgressLook(summary, calls, unreadable, elapsed, pace.Left(summary, elapsed), clock.GetUtcNow().UtcDateTime));
            if (SummaryStates.Ends.Contains(summary.State))
                return null;
            var refused = calls.Open == 0 ? await EveryKeyRefused(stop) : null;
            refusals = refused is null ? 0 : refusals + 1;
            if (refusals >= SureOfRefusal)
                return refused;
            await Task.Delay(Between, clock, stop);
        }
    }

    private async Task<string?> EveryKeyRefused(CancellationToken stop)
    {
        var aliases = settings.Providers.Values.SelectMany(p => p.Keys).Select(k => k.Alias).ToList();
        await using var db = await contexts.CreateDbContextAsync(stop);
        var refused = await db.Keys.AsNoTracking().Where(k => aliases.Contains(k.Alias) && k.RefusedReason != null).OrderBy(k => k.Alias).ToListAsync(stop);
        return refused.Count < aliases.Count ? null
            : $"No key is accepted any more: {string.Join("; ", refused.Select(k => $"{k.Alias}: {k.RefusedReason}"))}. Put a valid key into the environment or .env and run the same command again; what was done is kept.";
    }
}

/// <summary>How long the pages will still take, from how long those before them took.</summary>
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
