using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using MassTransit;
using MassTransit.Context;
using MassTransit.Saga;

namespace LlmQueue.Storage.Sagas;

/// <summary>
/// MassTransit's saga repository over group commits. The state machine runs on a row of its own and only records; what it recorded is
/// committed when it has finished, together with whatever else is ready. A conflict or a lack of capacity runs the machine again on the
/// fresh row: nothing it did has left the process. The delivery's cancellation token is not used: it is canceled when the broker goes away,
/// and what has begun is as true without the broker. The message comes again and finds that everything is done; an outcome that came with
/// no message would be lost, and so would the commands of a commit that nobody awaits.
/// </summary>
public sealed class GroupedSagaRepositoryContextFactory<TSaga>(ISagaStore<TSaga> store, TimeProvider clock)
    : ISagaRepositoryContextFactory<TSaga>
    where TSaga : class, ISaga
{
    private const int MaxTries = 100;

    public async Task Send<T>(ConsumeContext<T> context, IPipe<SagaRepositoryContext<TSaga, T>> next) where T : class
    {
        for (var attempt = 1; ; attempt++)
        {
            var transition = new UnitOfWork(clock.GetUtcNow().UtcDateTime);
            try
            {
                await next.Send(new GroupedSagaRepositoryContext<TSaga, T>(context, transition, store, isFirst: attempt == 1));
            }
            catch
            {
                transition.Settle(null);
                throw;
            }

            if (!transition.ChangesNothing && await store.Commit(transition) is not CommitOutcome.Committed)
            {
                if (attempt == MaxTries)
                    throw new InvalidOperationException($"{typeof(TSaga).Name} {context.CorrelationId} was decided {MaxTries} times and "
                        + "its row had changed each time; the message goes to the error queue.");
                continue;
            }

            await store.Send(transition.Commands);
            return;
        }
    }

    public Task SendQuery<T>(ConsumeContext<T> context, ISagaQuery<TSaga> query, IPipe<SagaRepositoryQueryContext<TSaga, T>> next)
        where T : class =>
        throw new NotSupportedException("Every message of the queue names its row; none is correlated by a query.");

    public void Probe(ProbeContext context) => context.Add("persistence", "postgresql, grouped commits");
}

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
