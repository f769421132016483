using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Outbox;
using LlmQueue.Storage.UnitsOfWork;
using MassTransit;

namespace LlmQueue.Storage.Sagas;

/// <summary>What a saga's repository asks of the store.</summary>
public interface ISagaStore<TRow> where TRow : class, ISaga
{
    /// <summary>A row of the caller's own, as last committed; null when there is none.</summary>
    Task<TRow?> Load(Guid id);

    /// <summary>Returns when the transition is durable, or must be decided again.</summary>
    Task<CommitOutcome> Commit(UnitOfWork transition);

    /// <summary>Rings what a commit has made due. Never fails: a bell that is lost stands in its row.</summary>
    Task Send(IReadOnlyCollection<object> bells);
}

/// <summary>PostgreSQL, in groups.</summary>
public sealed class GroupedSagaStore<TRow>(GroupCommit commits, GroupLoads<TRow> loads, CommandSender commandSender)
    : ISagaStore<TRow>
    where TRow : class, ISaga
{
    public Task<TRow?> Load(Guid id) => loads.Load(id);

    public Task<CommitOutcome> Commit(UnitOfWork transition) => commits.Commit(transition);

    public Task Send(IReadOnlyCollection<object> bells) => commandSender.Send(bells, CancellationToken.None);
}
