using LlmQueue.Storage.UnitsOfWork;
using LlmQueue.Worker.Calling.Claiming;

namespace LlmQueue.Tests.Exploration;

/// <summary>A message that a worker has and has not acknowledged, or a call that it kept to itself: how far it is.</summary>
internal sealed class Delivery(object message, int worker)
{
    public object Message { get; } = message;

    public int Worker { get; } = worker;

    /// <summary>The call for which no message rang; null for a message.</summary>
    public LocalCall? Own { get; init; }

    /// <summary>Kept, and not begun.</summary>
    public bool IsKept { get; set; }

    public Task? Running { get; set; }

    public bool AtProvider { get; set; }

    public UnitOfWork? Pending { get; set; }

    public TaskCompletionSource<CommitOutcome>? Told { get; set; }

    public CommitOutcome? Outcome { get; set; }
}
