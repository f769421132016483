using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Storage.Loops;

/// <summary>What a <see cref="GroupLoop{TItem}"/> does with its groups.</summary>
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
