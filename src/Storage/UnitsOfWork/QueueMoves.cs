using LlmQueue.Limits;

namespace LlmQueue.Storage.UnitsOfWork;

/// <summary>A task goes to stand in a line.</summary>
/// <param name="Line">The line.</param>
/// <param name="Cost">Its size in tokens: the unit of fair shares.</param>
/// <param name="Again">It comes from a call that was refused or met a fault.</param>
public sealed record Enqueue(WaitQueue Line, double Cost, bool Again = false)
{
    /// <summary>
    /// Told, under the lock that gave the task its place, when its turn is expected; told again when the commit has to be tried again.
    /// </summary>
    public Action<DateTime?>? Expected { get; init; }
}

/// <summary>A task leaves the line of these buckets, where it counted for so many tokens.</summary>
public sealed record Dequeue(IReadOnlyList<string> Buckets, double Tokens);
