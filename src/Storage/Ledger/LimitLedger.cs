using LlmQueue.Limits;
using LlmQueue.Storage.Outbox;
using LlmQueue.Storage.Tables;
using LlmQueue.Storage.UnitsOfWork;
using Npgsql;

namespace LlmQueue.Storage.Ledger;

/// <summary>
/// The ledger of a group commit: reserves, settles and enqueues on the true rows of buckets, budgets and tenants, which <see
/// cref="LimitLocks"/> has locked. They are changed in memory and written back in the same transaction. Admission decides on a copy that
/// may be old; what is decided here holds.
/// </summary>
public sealed class LimitLedger(StoreTables tables, Thresholds thresholds)
{
    private readonly Dictionary<string, TokenBucket> _buckets = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Budget> _budgets = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TenantShare> _tenants = new(StringComparer.Ordinal);
    private readonly Dictionary<string, double> _sharesBefore = new(StringComparer.Ordinal);
    private readonly Dictionary<string, BreakerState> _breakersBefore = new(StringComparer.Ordinal);
    private readonly SharedReservations _shared = new();
    private double _virtualTime;
    private int _activeTenants;

    public IReadOnlyCollection<TokenBucket> Buckets => _buckets.Values;
    public IReadOnlyCollection<Budget> Budgets => _budgets.Values;
    public IReadOnlyCollection<TenantShare> Tenants => _tenants.Values;

    /// <summary>The rows as they were locked, which become what is to be written.</summary>
    internal void Take(
        IEnumerable<TokenBucket> buckets, IEnumerable<Budget> budgets, IEnumerable<TenantShare> tenants, double virtualTime,
        int activeTenants)
    {
        foreach (var bucket in buckets)
            Keep(_buckets, bucket, b => b.Id);
        foreach (var budget in budgets)
            Keep(_budgets, budget, b => b.Id);
        foreach (var tenant in tenants)
            Keep(_tenants, tenant, t => t.Name);
        (_virtualTime, _activeTenants) = (virtualTime, activeTenants);
        Note();
    }

    /// <summary>
    /// Settles, reserves and enqueues for the whole group. Those for whom the true rows have no capacity have changed nothing, and are
    /// returned.
    /// </summary>
    public HashSet<UnitOfWork> Apply(IReadOnlyList<UnitOfWork> group)
    {
        // What ends gives room to what begins; a transition that does both is settled only once its own reservation stands.
        foreach (var transition in group.Where(t => t.Reservation is null))
            Settle(transition);
        var without = group.Where(t => t.Reservation is not null && !TryReserveThenSettle(t)).ToHashSet();
        foreach (var transition in group.Where(t => !without.Contains(t)))
            Enqueue(transition);
        return without;
    }

    private void Note()
    {
        Thresholds.Note(_sharesBefore, _buckets.Values, _budgets.Values);
        BreakerChanges.Note(_breakersBefore, _buckets.Values);
    }

    /// <summary>Settles reservations and learns from answers; always possible, so it comes before anything new is reserved.</summary>
    private void Settle(UnitOfWork transition)
    {
        if (transition.Settlement is { } settlement && _buckets.TryGetValue(settlement.Reserved.Bucket, out var bucket))
        {
            var isLatest = bucket.AsOf <= settlement.Began;
            BucketRule.Refill(bucket, transition.Now);
            BucketRule.Settle(bucket, settlement.Reserved.Demand, settlement.Used, settlement.Count?.RemainingTokensMinute is not null,
                settlement.ChargedOnArrival);
            if (settlement is { WasAnswered: true, Began: { } startedAt })
                BucketRule.Arrived(bucket, startedAt);
            if (settlement.Count is { } count)
                ProviderCountRule.Correct(bucket, count, isLatest);
            if (settlement is { WasAnswered: true, Began: { } answered })
                RequestProof.Prove(bucket, settlement.Reserved.Demand, answered, transition.Now);
            if (settlement.Closing is { IsLimit: false } alone)
                BucketRule.LeaveAlone(bucket, alone.Until, alone.Reason);
            else if (settlement.Closing is { } closing)
                BucketRule.Close(bucket, closing.Until, closing.Reason, closing.Window, settlement.Reserved.Demand, transition.Now);
            if (settlement.DisabledReason is { } reason)
                bucket.DisabledReason = reason;
            if (settlement.Sign is { } sign)
                BreakerRule.Learn(bucket, sign, settlement.AdmittedAt ?? settlement.Began ?? transition.Now, transition.Now);
            else
                BreakerRule.NotSent(bucket, transition.Now);
        }

        if (transition.Settlement is { Reserved.Usd: { } reserved } money)
        {
            foreach (var budget in money.Reserved.Budgets.Select(_budgets.GetValueOrDefault).OfType<Budget>())
            {
                var spent = money.SpentUsd ?? reserved;
                budget.SettledUsd += Math.Min(reserved, spent);
                budget.ReleasedUsd += Math.Max(0, reserved - spent);
                budget.SpentUsd += spent;
            }
        }

        foreach (var id in transition.Dequeue?.Buckets ?? [])
            if (_buckets.TryGetValue(id, out var left))
                Backlog.Leave(left, transition.Task!.Priority, transition.Dequeue!.Tokens);
        foreach (var (id, change) in transition.BudgetWaiters)
            if (_budgets.TryGetValue(id, out var budget))
                budget.Waiting = Math.Max(0, budget.Waiting + change);
    }

    /// <summary>False when the true rows have no capacity, and then nothing was changed.</summary>
    private bool TryReserveThenSettle(UnitOfWork transition)
    {
        if (!(transition.Shared is null ? TryReserve(transition) : _shared.TryReserve(transition, TryReserve)))
            return false;
        Settle(transition);
        return true;
    }

    /// <summary>
    /// Reserves capacity in the bucket and money in the budgets; false, and nothing is changed, where the true rows do not have both.
    /// </summary>
    private bool TryReserve(UnitOfWork transition)
    {
        var reservation = transition.Reservation!;
        if (!_buckets.TryGetValue(reservation.Bucket, out var bucket) || bucket.DisabledReason is not null || bucket.Waiting > 0)
            return false;
        BucketRule.Refill(bucket, transition.Now);
        if (BucketRule.OpensAt(bucket, reservation.Demand, bucket.AsOf).At > bucket.AsOf)
            return false;
        var budgets = reservation.Budgets.Select(_budgets.GetValueOrDefault).OfType<Budget>().ToList();
        if (budgets.Count < reservation.Budgets.Count)
            return false;
        if (reservation.Usd is { } usd)
        {
            if (budgets.Any(b => b.LimitUsd is { } limit && b.SpentUsd + b.InFlightUsd + usd > limit))
                return false;
            foreach (var budget in budgets)
                budget.ReservedUsd += usd;
        }

        BucketRule.Reserve(bucket, reservation.Demand);
        return true;
    }

    /// <summary>
    /// Gives a task that is to wait its place in the queue (start-time fair queueing): its start tag is the virtual time at which its
    /// tenant's earlier work ends, and never before the present. So a tenant that has been idle neither owes anything for that time
    /// nor has saved it up.
    /// </summary>
    private void Enqueue(UnitOfWork transition)
    {
        if (transition.Enqueue is not { } enqueue)
            return;
        var task = transition.Task!;
        var line = enqueue.Line.BucketIds.Select(_buckets.GetValueOrDefault).OfType<TokenBucket>().ToList();
        if (_tenants.TryGetValue(task.Tenant, out var tenant))
        {
            // It had its turn, and its call was refused or met a fault: it comes at once, and its tenant has been charged for it already.
            var startTag = enqueue.Again ? _virtualTime : Math.Max(_virtualTime, tenant.VirtualFinish);
            task.Wait = task.Wait with { StartTag = startTag };
            if (!enqueue.Again)
                tenant.VirtualFinish = startTag + (enqueue.Cost / tenant.Weight);
            enqueue.Expected?.Invoke(
                WaitRule.MovesAt(line, task.PlaceInQueue(tenant.Weight, _virtualTime, _activeTenants), transition.Now));
        }

        foreach (var bucket in line)
            Backlog.Join(bucket, task.Priority, task.Wait.QueueTokens);
    }

    /// <summary>The thresholds that this group has crossed, and the breakers it has opened or closed.</summary>
    public IReadOnlyList<OutboxMessage> Alerts(DateTime now) =>
        [.. thresholds.Crossed(_sharesBefore, _buckets.Values, _budgets.Values, now),
            .. BreakerChanges.Since(_breakersBefore, _buckets.Values, now)];

    public void AddWrites(NpgsqlBatch batch)
    {
        if (_buckets.Count > 0)
            batch.BatchCommands.Add(tables.UpdateBuckets([.. _buckets.Values]));
        if (_budgets.Count > 0)
            batch.BatchCommands.Add(tables.UpdateBudgets([.. _budgets.Values]));
        if (_tenants.Count > 0)
            batch.BatchCommands.Add(tables.UpdateTenants([.. _tenants.Values]));
    }

    private static void Keep<T>(Dictionary<string, T> rows, T row, Func<T, string> key) => rows[key(row)] = row;
}
