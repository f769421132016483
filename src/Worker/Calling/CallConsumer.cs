using LlmQueue.Contracts;
using LlmQueue.Worker.Calling.Claiming;
using LlmQueue.Worker.Calling.Guards;
using MassTransit;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.Calling;

/// <summary>
/// Consumes CallProvider: claims the attempt, makes the call, and raises the outcome to the state machine in this process. No message lies
/// between the answer and its commit: what the provider has been paid for is durable as soon as the database can make it so. A claimed call
/// belongs to this worker, not to the message that asked for it: when the broker goes away it is finished all the same, and the message
/// that then comes again finds it claimed.
/// </summary>
public sealed class CallConsumer(
    Claims claims, ClaimedCalls calls, CallSlots slots, IOutcomeReceiver outcomes, DrainTimeout drain, ILogger<CallConsumer> logger)
    : IConsumer<CallProvider>
{
    public async Task Consume(ConsumeContext<CallProvider> context)
    {
        var (taskId, attempt) = (context.Message.TaskId, context.Message.Attempt);
        var provider = context.Message.Provider ?? "";
        await slots.Take(provider, drain.IsOver);
        try
        {
            if (await claims.Take(taskId, attempt) is { } claim)
                await calls.Make(claim, finished => outcomes.Raise(context, finished));
            else
                logger.LogDebug("Attempt {Attempt} of task {TaskId} is old, taken or ended; nothing is called.", attempt, taskId);
        }
        finally
        {
            slots.Leave(provider);
        }
    }
}
