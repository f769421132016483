using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Storage.Commits;

/// <summary>
/// A loop that handles items in groups: it takes what is waiting, up to a limit, and hands it over in one piece. It never waits for a group
/// to fill. A group that meets a passing fault of the database is tried again, with longer and longer pauses; any other fault fails it, or
/// splits it. When the loop stops, everything that has not been handled is canceled.
/// </summary>
public sealed class GroupLoop<TItem>(GroupHandling<TItem> handling, TimeProvider clock, ILogger logger)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50), LongestPause = TimeSpan.FromSeconds(2);

    // Most items come alone: only those that come together need a list.
    private readonly Channel<(TItem First, IReadOnlyList<TItem>? All)> _waiting = Channel.CreateUnbounded<(TItem, IReadOnlyList<TItem>?)>();
    private volatile bool _isAway;

    /// <summary>False when the loop has stopped: the item will not be handled.</summary>
    public bool TryAdd(TItem item) => _waiting.Writer.TryWrite((item, null));

    /// <summary>
    /// Adds items that come into the same group, even if that makes it larger than the limit. False when the loop has stopped.
    /// </summary>
    public bool TryAddTogether(IReadOnlyList<TItem> items) => items.Count == 0 || _waiting.Writer.TryWrite((items[0], items));

    /// <summary>Runs until it is stopped. Several may run at the same time.</summary>
    public async Task Run(CancellationToken stopping)
    {
        var group = new List<TItem>();
        var next = new List<TItem>();
        try
        {
            while (next.Count > 0 || await _waiting.Reader.WaitToReadAsync(stopping))
            {
                group.Clear();
                next = Fill(group, next);
                await Handle(group, stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            logger.LogDebug("The loop stops; what it has not handled is canceled.");
        }
        finally
        {
            _waiting.Writer.TryComplete();
            group.ForEach(handling.Cancel);
            next.ForEach(handling.Cancel);
            while (_waiting.Reader.TryRead(out var left))
                foreach (var item in left.All ?? [left.First])
                    handling.Cancel(item);
        }
    }

    /// <returns>Items whose key the group has already: they come first in the next one.</returns>
    private List<TItem> Fill(List<TItem> group, List<TItem> waitedLonger)
    {
        var keys = handling.KeyOf is null ? null : new HashSet<Guid>();
        var next = new List<TItem>();
        foreach (var item in waitedLonger)
            Add(item);
        while (group.Count < handling.MaxGroup && _waiting.Reader.TryRead(out var ready))
        {
            if (ready.All is null)
                Add(ready.First);
            else
                foreach (var item in ready.All)
                    Add(item);
        }

        return next;

        void Add(TItem item) => (keys is null || keys.Add(handling.KeyOf!(item)) ? group : next).Add(item);
    }

    private async Task Handle(List<TItem> group, CancellationToken stopping)
    {
        for (var pause = FirstPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            try
            {
                await handling.Handle(group, stopping);
                if (_isAway)
                    logger.LogInformation("The database answers again.");
                _isAway = false;
                return;
            }
            catch (Exception e) when (DatabaseFaults.IsPassing(e))
            {
                if (!_isAway)
                    handling.IsAway(e, group.Count);
                _isAway = true;
            }
            catch (Exception e) when (e is not OperationCanceledException || !stopping.IsCancellationRequested)
            {
                await SplitOrFail(group, e, stopping);
                return;
            }

            await Task.Delay(pause, clock, stopping);
        }
    }

    private async Task SplitOrFail(List<TItem> group, Exception fault, CancellationToken stopping)
    {
        if (!handling.SplitsOnFault || group.Count == 1)
        {
            group.ForEach(item => handling.Fail(item, fault));
            return;
        }

        logger.LogWarning(fault, "A group of {Count} failed; it is split to find the one at fault.", group.Count);
        await Handle(group[..(group.Count / 2)], stopping);
        await Handle(group[(group.Count / 2)..], stopping);
    }
}

/// <summary>The behaviour of a <see cref="GroupLoop{TItem}"/>: how its groups are made and handled.</summary>
public sealed record GroupHandling<TItem>
{
    /// <summary>Items that are handled in one go.</summary>
    public required int MaxGroup { get; init; }

    /// <summary>
    /// Handles a group. It is called again with the same items after a passing fault, so it must bear that some are handled already. The
    /// list is only its own until it returns.
    /// </summary>
    public required Func<List<TItem>, CancellationToken, Task> Handle { get; init; }

    /// <summary>Ends an item that met a fault which does not pass.</summary>
    public Action<TItem, Exception> Fail { get; init; } = (_, _) => { };

    /// <summary>
    /// Ends an item that the loop has not handled when it stops. Also called for items of a group that was interrupted in the middle: it
    /// changes nothing about those that have an outcome.
    /// </summary>
    public Action<TItem> Cancel { get; init; } = _ => { };

    /// <summary>Says once an outage that so many items wait for the database.</summary>
    public Action<Exception, int> IsAway { get; init; } = (_, _) => { };

    /// <summary>Two items of one key are never in the same group; null where any may be.</summary>
    public Func<TItem, Guid>? KeyOf { get; init; }

    /// <summary>
    /// A fault that does not pass is that of one item: the group is split until it is alone, and the others are handled without it.
    /// </summary>
    public bool SplitsOnFault { get; init; }
}
