using LlmQueue.Contracts;
using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Loops;
using MassTransit;

namespace LlmQueue.Worker.Batches;

/// <summary>
/// Hears that a batch is to be moved, and wakes this worker's mill. One worker of all hears it; a bell that is lost costs the wait
/// until the next look.
/// </summary>
public sealed class MoveBatchConsumer(Signal<BatchRow> batchMoves) : IConsumer<MoveBatch>
{
    public Task Consume(ConsumeContext<MoveBatch> context)
    {
        batchMoves.Set();
        return Task.CompletedTask;
    }
}
