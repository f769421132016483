using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Loops;
using LlmQueue.Storage.Tables;
using LlmQueue.Storage.UnitsOfWork;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Storage.Commits;

/// <summary>
/// Group commit: whatever transitions are waiting are written in one transaction; nobody waits for a group to fill.
/// A group whose commit fails is split down to the one at fault; a database that is away is waited for.
/// </summary>
public sealed class GroupCommit : BackgroundService
{
    private readonly CommitConnections _database;
    private readonly StoreTables _tables;
    private readonly Thresholds _thresholds;
    private readonly CommitEffects _effects;
    private readonly ICommitObserver _observer;
    private readonly TimeProvider _clock;
    private readonly GroupLoop<PendingCommit> _loop;

    public GroupCommit(
        CommitConnections database, StoreTables tables, Thresholds thresholds, CommitEffects effects, ICommitObserver observer,
        TimeProvider clock, ILogger<GroupCommit> logger)
    {
        (_database, _tables, _thresholds, _effects, _observer, _clock) = (database, tables, thresholds, effects, observer, clock);
        _loop = new GroupLoop<PendingCommit>(new GroupHandling<PendingCommit>
        {
            MaxGroup = 128, KeyOf = pending => pending.Subject, Handle = Commit, SplitsOnFault = true,
            Fail = (pending, e) => pending.Fail(e), Cancel = pending => pending.Cancel(),
            // Whether a commit that lost its connection took place is not known: it is tried again, and the row's version tells.
            IsAway = (e, count) =>
                logger.LogWarning("The database does not take commits ({Reason}); {Count} transitions wait for it.", e.Message, count),
        }, clock, logger);
    }

    /// <summary>Returns when the transition is durable, or must be decided again.</summary>
    public Task<CommitOutcome> Commit(UnitOfWork transition, CancellationToken cancellationToken = default)
    {
        transition.Seal();
        var pending = new PendingCommit(transition);
        if (!_loop.TryAdd(pending))
            pending.Fail(Stopping());
        return pending.Outcome.WaitAsync(cancellationToken);
    }

    /// <summary>
    /// Commits transitions in one transaction, so that they can share a reservation. Each has an outcome of its own: one that cannot be
    /// written does not fail the others.
    /// </summary>
    /// <returns>The outcomes, in the order of the transitions.</returns>
    public IReadOnlyList<Task<CommitOutcome>> CommitTogether(IReadOnlyList<UnitOfWork> transitions)
    {
        var together = new List<PendingCommit>(transitions.Count);
        foreach (var transition in transitions)
        {
            transition.Seal();
            together.Add(new PendingCommit(transition));
        }

        if (!_loop.TryAddTogether(together))
            together.ForEach(pending => pending.Fail(Stopping()));
        return together.ConvertAll(pending => pending.Outcome);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => _loop.Run(stoppingToken);

    private async Task Commit(List<PendingCommit> group, CancellationToken cancellationToken)
    {
        var members = group.FindAll(p => !p.IsSettled);
        while (members.Count > 0)
        {
            await using var connection = await _database.Open(cancellationToken);
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            var transitions = members.ConvertAll(p => p.UnitOfWork);
            var ledger = new LimitLedger(_tables, _thresholds);
            await LimitLocks.Lock(ledger, connection, transaction, transitions, cancellationToken);

            var noRoom = ledger.Apply(transitions);
            var without = members.Where(p => noRoom.Contains(p.UnitOfWork)).ToHashSet();
            var writing = members.Where(p => !without.Contains(p)).ToList();

            var alerts = ledger.Alerts(_clock.GetUtcNow().UtcDateTime);
            var write = await new GroupWriter(_tables).Write(connection, transaction, writing, ledger, alerts, cancellationToken);
            if (write.Conflicts.Count > 0)
            {
                // The row of one had moved on: the others are written again without it.
                await transaction.RollbackAsync(cancellationToken);
                foreach (var conflict in write.Conflicts)
                {
                    _observer.DecidedAgain(CommitOutcome.Conflict);
                    conflict.Settle(CommitOutcome.Conflict);
                }

                members = members.Where(p => !write.Conflicts.Contains(p)).ToList();
                continue;
            }

            await transaction.CommitAsync(cancellationToken);
            _effects.Follow(new CommittedGroup(writing, without, ledger, write.SettledStages, alerts));
            return;
        }
    }

    private static OperationCanceledException Stopping() => new("The store is stopping.");
}
