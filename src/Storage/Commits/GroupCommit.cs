using LlmQueue.Contracts;
using LlmQueue.Storage.Commits.Tables;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Outbox;
using LlmQueue.Storage.Webhooks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Storage.Commits;

/// <summary>
/// Commits transitions in groups: a loop takes whatever is waiting and writes it in one transaction; nobody waits for a group to fill.
/// A group whose commit fails is split down to the one at fault; a database that is away is waited for.
/// </summary>
public sealed class GroupCommit(CommitConnections database, StoreTables tables, LimitViews views, OutboxPublisher outbox, LineBell lineBell, Thresholds thresholds, WebhookBell webhookBell, ICommitObserver observer, TimeProvider clock, ILogger<GroupCommit> logger) : BackgroundService
{
    private const int MaxGroup = 128;
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    private readonly CommitQueue _waiting = new(clock);
    private bool _away;

    /// <summary>Returns when the transition is durable, or must be decided again.</summary>
    public Task<CommitOutcome> Commit(UnitOfWork transition, CancellationToken cancellationToken = default)
    {
        transition.Seal();
        var pending = new PendingCommit(transition, new TaskCompletionSource<CommitOutcome>(TaskCreationOptions.RunContinuationsAsynchronously));
        _waiting.Add(pending);
        return pending.Outcome.Task.WaitAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var next = new List<PendingCommit>();
        try
        {
            while (next.Count > 0 || await _waiting.Reader.WaitToReadAsync(stoppingToken))
            {
                var group = new List<PendingCommit>();
                var subjects = new HashSet<Guid>();
                var late = new List<PendingCommit>();
                foreach (var pending in next)
                    (subjects.Add(pending.Subject) ? group : late).Add(pending);
                while (group.Count < MaxGroup && _waiting.Reader.TryRead(out var ready))
                    foreach (var pending in ready)
                        // Two transitions of one row cannot share a transaction: the second stands back and will find a conflict.
                        (subjects.Add(pending.Subject) ? group : late).Add(pending);
                next = late;
                await CommitGroup(group, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            logger.LogDebug("The store stops; what is not committed will be delivered again.");
        }
        finally
        {
            _waiting.Close();
            foreach (var pending in next)
                pending.Cancel();
        }
    }

    private async Task CommitGroup(List<PendingCommit> group, CancellationToken stopping)
    {
        for (var pause = TimeSpan.FromMilliseconds(50); ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            try
            {
                await TryCommit(group, stopping);
                if (_away)
                    logger.LogInformation("The database answers again.");
                _away = false;
                return;
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                group.ForEach(p => p.Cancel());
                throw;
            }
            catch (Exception e) when (DatabaseFaults.IsPassing(e))
            {
                // Whether a commit that lost its connection took place is not known: it is tried again, and the row's version tells.
                if (!_away)
                    logger.LogWarning("The database does not take commits ({Reason}); {Count} transitions wait for it.", e.Message, group.Count);
                _away = true;
                await Task.Delay(pause, clock, stopping);
            }
            catch (Exception e) when (group.Count == 1)
            {
                group[0].Fail(e);
                return;
            }
            catch (Exception e)
            {
                logger.LogWarning(e, "A group of {Count} transitions did not commit; it is split to find the one at fault.", group.Count);
                await CommitGroup(group[..(group.Count / 2)], stopping);
                await CommitGroup(group[(group.Count / 2)..], stopping);
                return;
            }
        }
    }

    private async Task TryCommit(List<PendingCommit> group, CancellationToken cancellationToken)
    {
        var members = group.Where(p => !p.Outcome.Task.IsCompleted).ToList();
        while (members.Count > 0)
        {
            await using var connection = await database.Open(cancellationToken);
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            var transitions = members.ConvertAll(p => p.UnitOfWork);
            var ledger = new LimitLedger(tables, thresholds);
            await LimitLocks.Lock(ledger, connection, transaction, transitions, cancellationToken);

            var noRoom = ledger.Apply(transitions);
            var without = members.Where(p => noRoom.Contains(p.UnitOfWork)).ToHashSet();
            var writing = members.Where(p => !without.Contains(p)).ToList();

            var alerts = ledger.Alerts(clock.GetUtcNow().UtcDateTime);
            var write = await new GroupWriter(tables).Write(connection, transaction, writing, ledger, alerts, cancellationToken);
            if (write.Conflicts.Count > 0)
            {
                // The row of one had moved on: the others are written again without it.
                await transaction.RollbackAsync(cancellationToken);
                foreach (var conflict in write.Conflicts)
                {
                    observer.DecidedAgain(CommitOutcome.Conflict);
                    conflict.Settle(CommitOutcome.Conflict);
                }

                members = members.Where(p => !write.Conflicts.Contains(p)).ToList();
                continue;
            }

            await transaction.CommitAsync(cancellationToken);
            Committed(members, writing, without, ledger, write.SettledStages, alerts);
            return;
        }
    }

    private void Committed(List<PendingCommit> members, List<PendingCommit> writing, HashSet<PendingCommit> without, LimitLedger ledger, IReadOnlyList<StageSettled> stages, IReadOnlyList<OutboxMessage> alerts)
    {
        foreach (var bucket in ledger.Buckets)
            views.Show(bucket);
        foreach (var budget in ledger.Budgets)
            views.Show(budget);
        foreach (var use in writing.Select(p => p.UnitOfWork.KeyUse))
            if (use?.RefusedReason is { } reason)
                views.ShowKey(use.Alias, reason);
        foreach (var stage in stages)
            writing.First(p => p.UnitOfWork.EndedForSummary == stage.SummaryId).UnitOfWork.Send(stage);
        foreach (var pending in writing)
            pending.UnitOfWork.LeaveTheBellToTheFirst();
        observer.Committed(writing.ConvertAll(p => p.UnitOfWork));
        foreach (var _ in without)
            observer.DecidedAgain(CommitOutcome.NoRoom);
        if (writing.Any(p => p.UnitOfWork.Webhooks.Count > 0))
            webhookBell.Send();
        outbox.Publish(writing.SelectMany(p => p.UnitOfWork.OutboxMessages).Concat(alerts));
        foreach (var alert in alerts)
            Tell(alert.Message);

        foreach (var pending in members)
            pending.Settle(without.Contains(pending) ? CommitOutcome.NoRoom : CommitOutcome.Committed);
        // The Pacer looks again when a task came to wait, or when what it waits for may have come.
        if (writing.Any(p => p.UnitOfWork.Enqueue is not null || p.UnitOfWork.Task?.DueAt is not null)
            || (ledger.Buckets.Any(b => b.Waiting > 0) || ledger.Budgets.Any(b => b.Waiting > 0)))
            lineBell.Send();
    }

    private void Tell(object alert)
    {
        switch (alert)
        {
            case QuotaThresholdReached quota:
                observer.ThresholdReached(quota);
                logger.LogWarning("The {Kind} {Subject} is used up to {Percent} %: {Consequence}.", quota.Kind, quota.Subject, quota.Percent, quota.Consequence);
                break;
            case ProviderHealthChanged health:
                observer.HealthChanged(health);
                logger.Log(health.State == "open" ? LogLevel.Warning : LogLevel.Information, "The breaker of {Bucket} is {State}: {Reason}.{Next}", health.Bucket, health.State, health.Reason,
                    health.NextProbeAt is { } next ? $" The next call is let through at {next:HH:mm:ss} UTC." : "");
                break;
        }
    }
}
