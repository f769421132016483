using LlmQueue.Catalogue;
using LlmQueue.Limits;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Ranking;

namespace LlmQueue.Worker.Scheduling;

/// <summary>
/// Plans a scheduling cycle on copies of the limits: nothing is booked here. The order is fair: priority class with aging, then start-time
/// fair queueing among tenants.
/// </summary>
public sealed class CyclePlanner(
    BucketDirectory directory, WaitQueueDirectory lines, CallEstimates estimates, PagePool pool, WorkerOptions options)
{
    private const int MaxGrants = 500;

    // Only the leading scheduler counts; one that takes over begins anew, which costs an aged task a few grants.
    private readonly PriorityAging _ageing = new(options.AgeAfter, options.AgedEvery);

    /// <summary>
    /// Assigns tasks to buckets: in order, each to the first bucket of its wait queue that has capacity. A task for which none has capacity
    /// keeps the bucket that opens soonest for it, so that smaller tasks behind it may use the others but cannot starve it.
    /// </summary>
    internal async Task<CyclePlan> Plan(IReadOnlyList<WaitQueueHead> heads, CycleTransaction work, DateTime now)
    {
        var buckets = work.Buckets.ToDictionary(b => b.Id, b => b.Copy(), StringComparer.Ordinal);
        var money = work.Budgets.ToDictionary(b => b.Id, b => new BudgetBalance(b), StringComparer.Ordinal);
        var kept = new HashSet<string>(StringComparer.Ordinal);
        var plan = new CyclePlan();
        var weights = new PoolWeights();
        var turns = _ageing.Turns(heads, now);
        while (kept.Count < buckets.Count && plan.Grants.Count < MaxGrants && turns.Next() is { } head)
        {
            var line = await lines.Find(head.Line);
            // A model of its wait queue has retired since, or is gone: the task is planned again, and the successor takes its place.
            if (IsOutOfDate(line, buckets, DateOnly.FromDateTime(now)))
            {
                if (head.NotWoken)
                    plan.ToDecideAgain.Add(head.Id);
                continue;
            }

            var balances = head.Budgets.Select(money.GetValueOrDefault).ToList();
            var candidates = InOrder(line, head, buckets, balances, weights, now);
            TokenBucket? soonest = null;
            var soonestAt = DateTime.MaxValue;
            var (granted, payable) = (false, candidates.Count == 0);
            foreach (var (_, model, bucket, need, price) in candidates)
            {
                if (balances.Exists(p => p is null || !p.CanPay(price)))
                    continue;
                payable = true;
                var opening = BucketRule.OpensAt(bucket, need, now).At;
                if (opening <= now && !kept.Contains(bucket.Id))
                {
                    granted = true;
                    BucketRule.Reserve(bucket, need);
                    turns.Granted(head);
                    balances.ForEach(p => p!.Pay(price));
                    plan.Grants.Add(new PlannedGrant(head, bucket.Id, model.Id.ToString(), need, price, line));
                    break;
                }

                if (opening < soonestAt)
                    (soonest, soonestAt) = (bucket, opening);
            }

            // It is planned again to wait for money: it must not hold up those behind it that can pay.
            if (!payable && head.NotWoken)
                plan.ToDecideAgain.Add(head.Id);
            // A limit was learned since it was enqueued, and it can never pass: it is planned again, and told so.
            else if (soonest is null
                && head.NotWoken
                && candidates.Count > 0
                && candidates.All(c => !BucketRule.CanEverFit(c.Bucket, c.Demand)))
                plan.ToDecideAgain.Add(head.Id);
            // The catalogue has changed since, and no model of its wait queue is left: it is routed again.
            else if (head.NotWoken && line.BucketIds.All(id => directory.Find(id) is null))
                plan.ToDecideAgain.Add(head.Id);
            if (granted || soonest is null)
                continue;
            kept.Add(soonest.Id);
            plan.NextOpening = CyclePlan.Earlier(plan.NextOpening, soonestAt <= now ? now + options.Tick : soonestAt);
        }

        // There are more than were looked at: go on at the next tick.
        if (plan.Grants.Count > 0 && plan.Grants.Count + kept.Count < heads.Count)
            plan.NextOpening = CyclePlan.Earlier(plan.NextOpening, now + options.Tick);
        return plan;
    }

    private bool IsOutOfDate(WaitQueue line, Dictionary<string, TokenBucket> buckets, DateOnly today) => line.BucketIds.Any(id =>
        directory.Find(id)?.Model.IsRetired(today) == true
            || (buckets.TryGetValue(id, out var bucket) && bucket.DisabledReason is { Cause: DisabledCause.ModelGone }));

    /// <summary>The candidates of a head, in the order in which they are tried; the same rule as for new tasks.</summary>
    private IReadOnlyList<Candidate> InOrder(
        WaitQueue line, WaitQueueHead head, Dictionary<string, TokenBucket> buckets, List<BudgetBalance?> balances, PoolWeights weights,
        DateTime now)
    {
        var candidates = new List<Candidate>();
        foreach (var id in line.BucketIds)
        {
            if (!buckets.TryGetValue(id, out var bucket) || bucket.DisabledReason is not null || directory.Find(id) is not { } info)
                continue;
            candidates.Add(new Candidate(id, info.Model, bucket,
                estimates.Demand(info.Model, head.CallKind, head.PromptUnits, head.MaxOutputTokens),
                estimates.MostUsd(info.Model, head.PromptUnits, head.MaxOutputTokens)));
        }

        var tightest = balances.OfType<BudgetBalance>().MaxBy(p => p.UsedShare);
        // The same for every page of this complexity in the line, for as long as the round lasts.
        if (!weights.TryGetValue((line.Id, head.Complexity), out var weight) && line.LoadBalanced)
            weights[(line.Id, head.Complexity)] = weight = pool.Weights(candidates.Select(c => (c.Model, c.Bucket.TokensPerMinute)),
                head.Complexity);
        return OrderRule.Decide(candidates, line.LoadBalanced, head.Bound, tightest?.UsedShare ?? 0, tightest?.Id ?? "", now,
            weight is null ? null : c => weight(c.Model.Id).Weight).Candidates;
    }

    /// <summary>The balance of a budget: what it can still pay in this cycle.</summary>
    private sealed class BudgetBalance(Budget budget)
    {
        private decimal? _left = budget.LimitUsd - budget.SpentUsd - budget.InFlightUsd;

        public string Id => budget.Id;

        public double UsedShare => budget.LimitUsd is > 0 and { } limit ? (double)(1 - (_left!.Value / limit))
            : budget.LimitUsd is null ? 0 : 1;

        /// <summary>A limited budget pays nothing whose price is unknown: it could not be kept.</summary>
        public bool CanPay(decimal? price) => _left is null || price <= _left;

        public void Pay(decimal? price) => _left -= price ?? 0;
    }

    /// <summary>The weights of pools in one cycle, by wait queue and complexity of the page.</summary>
    private sealed class PoolWeights : Dictionary<(string Line, string? Complexity), Func<ModelId, PoolWeight>>;
}
