using LlmQueue.Storage.UnitsOfWork;
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
