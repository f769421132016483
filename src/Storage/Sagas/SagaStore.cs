using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Outbox;
using LlmQueue.Storage.UnitsOfWork;
using MassTransit;

namespace LlmQueue.Storage.Sagas;

/// <summary>The persistence of a saga: load a row, commit a unit of work, send its commands.</summary>
public interface ISagaStore<TRow> where TRow : class, ISaga
{
    /// <summary>A row of the caller's own, as last committed; null when there is none.</summary>
    Task<TRow?> Load(Guid id);

    /// <summary>Returns when the transition is durable, or must be decided again.</summary>
    Task<CommitOutcome> Commit(UnitOfWork transition);

    /// <summary>Sends the commands of a commit. Never fails: a command that is lost follows from its row.</summary>
    Task Send(IReadOnlyCollection<object> commands);
}

/// <summary>Saga persistence in PostgreSQL, in groups.</summary>
public sealed class GroupedSagaStore<TRow>(GroupCommit commits, GroupLoads<TRow> loads, CommandSender commandSender)
    : ISagaStore<TRow>
    where TRow : class, ISaga
{
    public Task<TRow?> Load(Guid id) => loads.Load(id);

    public Task<CommitOutcome> Commit(UnitOfWork transition) => commits.Commit(transition);

    public Task Send(IReadOnlyCollection<object> commands) => commandSender.Send(commands, CancellationToken.None);
}
