using System.Collections.Concurrent;
using LlmQueue.Contracts;
using LlmQueue.Limits;
using LlmQueue.Storage.Outbox;

namespace LlmQueue.Storage.Ledger;

/// <summary>
/// Detects quotas and budgets that cross a threshold: compared under the lock that guards them, so each crossing is seen by exactly one
/// commit. Reservations in flight come and go, so a process alerts again only after the share has been well below.
/// </summary>
public sealed class Thresholds
{
    private const double QuietBelow = 0.75;
    private readonly ConcurrentDictionary<string, int> _spoken = new(StringComparer.Ordinal);

    /// <summary>Notes the used shares as they were found.</summary>
    public static void Note(Dictionary<string, double> shares, IEnumerable<TokenBucket> buckets, IEnumerable<Budget> budgets)
    {
        foreach (var bucket in buckets)
            shares[bucket.Id] = ThresholdRule.UsedDayShare(bucket);
        foreach (var budget in budgets)
            shares[budget.Id] = ThresholdRule.UsedShare(budget);
    }

    /// <summary>An event for each that has crossed a threshold since.</summary>
    public IReadOnlyList<OutboxMessage> Crossed(
        Dictionary<string, double> before, IEnumerable<TokenBucket> buckets, IEnumerable<Budget> budgets, DateTime now)
    {
        var alerts = new List<OutboxMessage>();
        foreach (var bucket in buckets)
            if (New(bucket.Id, before.GetValueOrDefault(bucket.Id), ThresholdRule.UsedDayShare(bucket)) is { } percent)
                alerts.Add(Alert("quota", bucket.Id, percent, percent switch
                {
                    80 => "tasks that are not bound to it shift to a model of their chain with more left; from 90 % all of them fall back",
                    90 => "only tasks of high stakes and those that name it still take it first; "
                        + "from 95 % the models of another provider go first",
                    _ => "the models of another provider go first; "
                        + "when the day's quota is used up, what is bound to it waits for it to drip",
                }, now));
        foreach (var budget in budgets)
            if (New(budget.Id, before.GetValueOrDefault(budget.Id), ThresholdRule.UsedShare(budget)) is { } percent)
                alerts.Add(Alert("budget", budget.Id, percent, percent switch
                {
                    80 => "nothing changes yet; from 90 % the cheaper model of a chain goes first",
                    90 => "the cheaper model of a chain goes first; from 95 % only the cheapest is used",
                    _ => "only the cheapest model of a chain is used; "
                        + "at the limit tasks wait for the next period, or until the budget is raised",
                }, now));
        return alerts;
    }

    private int? New(string subject, double before, double after)
    {
        if (after < QuietBelow)
            _spoken.TryRemove(subject, out _);
        if (ThresholdRule.Crossed(before, after) is not { } percent || _spoken.GetValueOrDefault(subject) >= percent)
            return null;
        _spoken[subject] = percent;
        return percent;
    }

    private static OutboxMessage Alert(string kind, string subject, int percent, string consequence, DateTime now) =>
        new(Guid.CreateVersion7(),
            new QuotaThresholdReached { Kind = kind, Subject = subject, Percent = percent, Consequence = consequence, At = now }, now);
}
