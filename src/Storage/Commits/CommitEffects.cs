using LlmQueue.Contracts;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Loops;
using LlmQueue.Storage.Outbox;
using LlmQueue.Storage.UnitsOfWork;
using LlmQueue.Storage.Webhooks;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Storage.Commits;

/// <summary>
/// The effects of a commit in its own process: views show the new limits, metrics count, the outbox publishes events, waiting callers get
/// their outcome, and loops are woken.
/// </summary>
public sealed class CommitEffects(
    LimitViews views, OutboxPublisher outbox, CapacitySignal capacitySignal, Signal<WebhookRow> webhookDue, ICommitObserver observer,
    ILogger<CommitEffects> logger)
{
    internal void Follow(CommittedGroup group)
    {
        Show(group);
        foreach (var stage in group.Stages)
            group.Written.First(p => p.UnitOfWork.EndedForSummary == stage.SummaryId).UnitOfWork.Send(stage);
        observer.Committed(group.Written.ConvertAll(p => p.UnitOfWork));
        foreach (var _ in group.WithoutRoom)
            observer.DecidedAgain(CommitOutcome.NoRoom);
        if (group.Written.Exists(p => p.UnitOfWork.Webhooks.Count > 0))
            webhookDue.Set();
        outbox.Publish(group.Written.SelectMany(p => p.UnitOfWork.OutboxMessages).Concat(group.Alerts));
        foreach (var alert in group.Alerts)
            Tell(alert.Message);

        foreach (var pending in group.Written)
            pending.Settle(CommitOutcome.Committed);
        foreach (var pending in group.WithoutRoom)
            pending.Settle(CommitOutcome.NoRoom);
        // The capacity scheduler looks again when a task came to wait, or when what it waits for may have come.
        if (group.Written.Exists(p => p.UnitOfWork.Enqueue is not null || p.UnitOfWork.Task?.Wait.DueAt is not null)
            || group.Ledger.Buckets.Any(b => b.Waiting > 0) || group.Ledger.Budgets.Any(b => b.Waiting > 0))
            capacitySignal.Send();
    }

    private void Show(CommittedGroup group)
    {
        foreach (var bucket in group.Ledger.Buckets)
            views.Show(bucket);
        foreach (var budget in group.Ledger.Budgets)
            views.Show(budget);
        foreach (var use in group.Written.Select(p => p.UnitOfWork.KeyUse))
            if (use?.RefusedReason is { } reason)
                views.ShowKey(use.Alias, reason);
    }

    private void Tell(object alert)
    {
        switch (alert)
        {
            case QuotaThresholdReached quota:
                observer.ThresholdReached(quota);
                logger.LogWarning("The {Kind} {Subject} is used up to {Percent} %: {Consequence}.", quota.Kind, quota.Subject,
                    quota.Percent, quota.Consequence);
                break;
            case ProviderHealthChanged health:
                observer.HealthChanged(health);
                logger.Log(health.State == "open" ? LogLevel.Warning : LogLevel.Information,
                    "The breaker of {Bucket} is {State}: {Reason}.{Next}",
                    health.Bucket, health.State, health.Reason,
                    health.NextProbeAt is { } next ? $" The next call is let through at {next:HH:mm:ss} UTC." : "");
                break;
        }
    }
}

/// <summary>A group of units of work whose transaction has been committed.</summary>
/// <param name="Written">Those that are durable now.</param>
/// <param name="WithoutRoom">Those for which the true limits had no room: nothing of them was written.</param>
/// <param name="Ledger">The limits as they were written.</param>
/// <param name="Stages">Stages of summaries whose last task has ended with this group.</param>
/// <param name="Alerts">Thresholds that were crossed and breakers that changed.</param>
internal sealed record CommittedGroup(
    List<PendingCommit> Written, HashSet<PendingCommit> WithoutRoom, LimitLedger Ledger, IReadOnlyList<StageSettled> Stages,
    IReadOnlyList<OutboxMessage> Alerts);
