using LlmQueue.Limits;

namespace LlmQueue.Storage.UnitsOfWork;

/// <summary>A task is enqueued in a wait queue.</summary>
/// <param name="Line">The wait queue.</param>
/// <param name="Cost">Its size in tokens: the unit of fair shares.</param>
/// <param name="Again">It comes from a call that was refused or met a fault.</param>
public sealed record Enqueue(WaitQueue Line, double Cost, bool Again = false)
{
    /// <summary>
    /// Called, under the lock that gave the task its place, with the time at which it is expected to move; again when the commit is tried
    /// again.
    /// </summary>
    public Action<DateTime?>? Expected { get; init; }
}

/// <summary>A task is dequeued from the wait queue of these buckets, where it counted for so many tokens.</summary>
public sealed record Dequeue(IReadOnlyList<string> Buckets, double Tokens);
