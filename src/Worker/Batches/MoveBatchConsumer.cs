using LlmQueue.Contracts;
using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Loops;
using MassTransit;

namespace LlmQueue.Worker.Batches;

/// <summary>
/// Receives MoveBatch and wakes this worker's batch processor. One worker of all receives it; a command that is lost costs the wait until
/// the processor's next look.
/// </summary>
public sealed class MoveBatchConsumer(Signal<BatchRow> batchMoves) : IConsumer<MoveBatch>
{
    public Task Consume(ConsumeContext<MoveBatch> context)
    {
        batchMoves.Set();
        return Task.CompletedTask;
    }
}
