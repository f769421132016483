using LlmQueue.Worker.Calling.Claiming;
using LlmQueue.Worker.Outcomes;
using MassTransit;

namespace LlmQueue.Worker.Calling;

/// <summary>
/// Takes the outcome of a call into the task's state machine; done when answer, record, settlement and transition are committed.
/// </summary>
public interface IOutcomeReceiver
{
    /// <summary>The outcome of a call that a message asked for.</summary>
    Task Raise(ConsumeContext context, CallFinished finished);

    /// <summary>The outcome of a call that this worker kept to itself.</summary>
    Task Raise(LocalCall call, CallFinished finished);
}
