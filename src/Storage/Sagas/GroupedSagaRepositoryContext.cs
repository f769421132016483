using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;
using MassTransit;
using MassTransit.Context;
using MassTransit.Saga;

namespace LlmQueue.Storage.Sagas;

internal sealed class GroupedSagaRepositoryContext<TSaga, TMessage>(
    ConsumeContext<TMessage> context, UnitOfWork transition, ISagaStore<TSaga> store, bool isFirst)
    : ConsumeContextScope<TMessage>(context, transition), SagaRepositoryContext<TSaga, TMessage>
    where TSaga : class, ISaga
    where TMessage : class
{
    private readonly SagaConsumeContextFactory<UnitOfWork, TSaga> _factory = new();

    public Task<SagaConsumeContext<TSaga, TMessage>> Add(TSaga instance)
    {
        Created(instance);
        return Wrap(instance, SagaConsumeContextMode.Add);
    }

    /// <summary>
    /// The first try of a creating message writes without looking; if the row exists the commit says so, and the second try loads it.
    /// </summary>
    public async Task<SagaConsumeContext<TSaga, TMessage>> Insert(TSaga instance)
    {
        if (!isFirst)
            return null!;
        Created(instance);
        return await Wrap(instance, SagaConsumeContextMode.Insert);
    }

    /// <summary>
    /// The first try takes a row that the sender has just written itself; had it changed since, the commit would say so, and the
    /// second try loads it.
    /// </summary>
    public async Task<SagaConsumeContext<TSaga, TMessage>> Load(Guid correlationId)
    {
        if ((isFirst && TryGetPayload<TSaga>(out var known) ? known : await store.Load(correlationId)) is not { } instance)
            return null!;
        switch (instance)
        {
            case TaskRow task:
                transition.Task = task;
                break;
            case SummaryRow summary:
                transition.Summary = summary;
                break;
        }

        return await Wrap(instance, SagaConsumeContextMode.Load);
    }

    public Task Save(SagaConsumeContext<TSaga> context) => NextVersion();

    public Task Update(SagaConsumeContext<TSaga> context) => NextVersion();

    public Task Delete(SagaConsumeContext<TSaga> context) =>
        throw new NotSupportedException("Ended tasks stay as rows; the Pruner removes them.");

    public Task Discard(SagaConsumeContext<TSaga> context) => Task.CompletedTask;

    public Task Undo(SagaConsumeContext<TSaga> context) => Task.CompletedTask;

    public Task<SagaConsumeContext<TSaga, T>> CreateSagaConsumeContext<T>(
        ConsumeContext<T> consumeContext, TSaga instance, SagaConsumeContextMode mode) where T : class =>
        _factory.CreateSagaConsumeContext(transition, consumeContext, instance, mode);

    private Task<SagaConsumeContext<TSaga, TMessage>> Wrap(TSaga instance, SagaConsumeContextMode mode) =>
        _factory.CreateSagaConsumeContext(transition, this, instance, mode);

    private void Created(TSaga instance)
    {
        switch (instance)
        {
            case TaskRow task:
                transition.Task = task;
                transition.TaskIsNew = true;
                break;
            case SummaryRow summary:
                transition.Summary = summary;
                transition.SummaryIsNew = true;
                break;
        }
    }

    private Task NextVersion()
    {
        if (transition.ChangesNothing)
            return Task.CompletedTask;
        if (transition.Task is { } task)
        {
            task.Version++;
            task.UpdatedAt = transition.Now;
        }

        if (transition.Summary is { } summary)
        {
            summary.Version++;
            summary.UpdatedAt = transition.Now;
        }

        return Task.CompletedTask;
    }
}
