using LlmQueue.Worker.Estimation;
using LlmQueue.Contracts;
using LlmQueue.Store.Catalogue;
using LlmQueue.Store.Commits;
using LlmQueue.Store.Limits;
using LlmQueue.Store.Rows;
using LlmQueue.Worker.Ranking;
using Npgsql;

namespace LlmQueue.Worker.Admission;

/// <summary>The weights of pools in one round, by line and complexity of the page.</summary>
internal sealed class PoolWeights : Dictionary<(string Line, string? Complexity), Func<ModelId, PoolWeight>>;

/// <summary>What a round has done: the bells to ring, and when something may be done next.</summary>
public sealed record PacerResult(IReadOnlyList<object> Bells, DateTime? NextOpening);

/// <summary>
/// One round of the Pacer, one transaction: pauses that are over, money that has come back, and the lines. Buckets are locked before anything is looked at,
/// so a task that is just going to stand in line is either seen now or rings the bell after.
/// </summary>
public sealed class PacerRound(NpgsqlDataSource database, StoreTables tables, LimitViews views, BucketDirectory directory, BudgetBook budgets, Thresholds thresholds, Announcer announcer, LineDirectory lines, CallEstimates estimates, PagePool pool, WorkerOptions options, TimeProvider clock)
{
    private const int MaxRings = 500;

    // A bell that brought nothing about in this time is rung again.
    private static readonly TimeSpan Unanswered = TimeSpan.FromSeconds(15);

    // Only the Pacer that leads counts; one that takes over begins anew, which costs an aged task a few grants.
    private readonly Ageing _ageing = new(options.AgeAfter, options.AgedEvery);

    public async Task<PacerResult> Run(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var bells = new List<object>();
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var work = await Lock(connection, transaction, now, cancellationToken);
        bells.AddRange(work.Bells);
        var next = work.NextDue;
        IReadOnlyList<Announcement> alerts = [];

        bells.AddRange(await ReleaseMoney(connection, transaction, work, now, cancellationToken));
        next = Earlier(next, work.Budgets.Where(b => b.Waiting > 0).Select(b => (DateTime?)b.PeriodEnd).Min());

        if (work.Buckets.Any(b => b.Waiting > 0))
        {
            var heads = await LineHeads.Read(connection, transaction, budgets, now, Unanswered, cancellationToken);
            var plan = await Plan(heads, work, now);
            await Grant(connection, transaction, plan, work, heads.Count == 0, now, cancellationToken);
            bells.AddRange(plan.Grants.Where(g => g.Booked).Select(g => new CapacityGranted(g.Head.Id, g.Head.Attempt + 1)));
            bells.AddRange(plan.ToDecideAgain.Select(id => new BudgetReleased(id)));
            next = Earlier(next, plan.NextOpening);
            alerts = plan.Alerts;
        }

        await transaction.CommitAsync(cancellationToken);
        announcer.Announce(alerts);
        foreach (var bucket in work.Buckets)
            views.Show(bucket);
        foreach (var budget in work.Budgets)
            views.Show(budget);
        return new PacerResult(bells, next);
    }

    private async Task<Locked> Lock(NpgsqlConnection connection, NpgsqlTransaction transaction, DateTime now, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection, transaction);
        foreach (var frees in LimitLedger.FreesIfSilent)
            batch.BatchCommands.Add(new NpgsqlBatchCommand(frees));
        batch.BatchCommands.Add(new NpgsqlBatchCommand($"select {StoreTables.BucketColumns} from buckets where waiting > 0 order by id for update"));
        batch.BatchCommands.Add(new NpgsqlBatchCommand("select * from budgets where (period_start <= $1 and period_end > $1) or waiting > 0 order by id for update") { Parameters = { new NpgsqlParameter<DateTime> { TypedValue = now } } });
        batch.BatchCommands.Add(new NpgsqlBatchCommand("""
            update tasks t set rung_at = $1 where t.id in (
                select id from tasks where state = 'WaitingToRetry' and due_at <= $1 and (rung_at < due_at or rung_at < $2) order by due_at limit 500 for update skip locked)
            returning t.id, t.attempt
            """) { Parameters = { new NpgsqlParameter<DateTime> { TypedValue = now }, new NpgsqlParameter<DateTime> { TypedValue = now - Unanswered } } });
        batch.BatchCommands.Add(new NpgsqlBatchCommand("select min(due_at) from tasks where state in ('WaitingToRetry', 'WaitingForBudget') and due_at > $1") { Parameters = { new NpgsqlParameter<DateTime> { TypedValue = now } } });
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        var locked = new Locked();
        while (await reader.ReadAsync(cancellationToken))
            locked.Buckets.Add(StoreTables.ReadBucket(reader));
        await reader.NextResultAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            locked.Budgets.Add(StoreTables.ReadBudget(reader));
        await reader.NextResultAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            locked.Bells.Add(new RetryDelayElapsed(reader.GetGuid(0), reader.GetInt32(1)));
        await reader.NextResultAsync(cancellationToken);
        if (await reader.ReadAsync(cancellationToken) && !reader.IsDBNull(0))
            locked.NextDue = reader.GetDateTime(0);
        foreach (var bucket in locked.Buckets)
            BucketRule.Refill(bucket, now);
        Thresholds.Note(locked.SharesBefore, locked.Buckets, locked.Budgets);
        return locked;
    }

    /// <summary>Rings for as many tasks that wait for money as the money left can pay; after the period's end for all.</summary>
    private static async Task<List<object>> ReleaseMoney(NpgsqlConnection connection, NpgsqlTransaction transaction, Locked work, DateTime now, CancellationToken cancellationToken)
    {
        var bells = new List<object>();
        foreach (var budget in work.Budgets.Where(b => b.Waiting > 0))
        {
            var left = budget.PeriodEnd <= now || budget.LimitUsd is null ? decimal.MaxValue : budget.LimitUsd.Value - budget.SpentUsd - budget.InFlightUsd;
            if (left <= 0)
                continue;
            await using var command = new NpgsqlCommand("""
                update tasks t set rung_at = $2 where t.id in (
                    select id from (
                        select id, sum(coalesce(reserved_usd, 1e9)) over (order by priority, submitted_at, id) as total
                        from (select * from tasks where state = 'WaitingForBudget' and line = $1 and (rung_at <= waiting_since or rung_at < $3) order by priority, submitted_at, id limit 500) w) s
                    where total <= $4)
                returning t.id
                """, connection, transaction)
            {
                Parameters =
                {
                    new NpgsqlParameter<string> { TypedValue = budget.Id }, new NpgsqlParameter<DateTime> { TypedValue = now }, new NpgsqlParameter<DateTime> { TypedValue = now - Unanswered },
                    new NpgsqlParameter<decimal> { TypedValue = Math.Min(left, 1e15m) },
                },
            };
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
                bells.Add(new BudgetReleased(reader.GetGuid(0)));
        }

        return bells;
    }

    /// <summary>
    /// Who goes where: in order, each to the first bucket of its line that has room. One for whom none has room keeps the bucket that opens soonest for it,
    /// so that smaller tasks behind it may use the others but cannot starve it.
    /// </summary>
    internal async Task<RoundPlan> Plan(IReadOnlyList<LineHead> heads, Locked work, DateTime now)
    {
        var buckets = work.Buckets.ToDictionary(b => b.Id, BucketRule.Copy, StringComparer.Ordinal);
        var money = work.Budgets.ToDictionary(b => b.Id, b => new Purse(b), StringComparer.Ordinal);
        var kept = new HashSet<string>(StringComparer.Ordinal);
        var plan = new RoundPlan();
        var weights = new PoolWeights();
        var turns = _ageing.Turns(heads, now);
        while (kept.Count < buckets.Count && plan.Grants.Count < MaxRings && turns.Next() is { } head)
        {
            var line = await lines.Find(head.Line);
            // Somebody of its line has retired since, or is gone: it is decided again, and the successor stands in its place.
            if (IsOutOfDate(line, buckets, DateOnly.FromDateTime(now)))
            {
                if (head.Unrung)
                    plan.ToDecideAgain.Add(head.Id);
                continue;
            }

            var purses = head.Budgets.Select(money.GetValueOrDefault).ToList();
            var candidates = InOrder(line, head, buckets, purses, weights, now);
            BucketRow? soonest = null;
            var soonestAt = DateTime.MaxValue;
            var (granted, payable) = (false, candidates.Count == 0);
            foreach (var (_, model, bucket, need, price) in candidates)
            {
                if (purses.Exists(p => p is null || !p.CanPay(price)))
                    continue;
                payable = true;
                var opening = BucketRule.OpensAt(bucket, need, now).At;
                if (opening <= now && !kept.Contains(bucket.Id))
                {
                    granted = true;
                    BucketRule.Reserve(bucket, need);
                    turns.Granted(head);
                    purses.ForEach(p => p!.Pay(price));
                    plan.Grants.Add(new PlannedGrant(head, bucket.Id, model.Id.ToString(), need, price, line));
                    break;
                }

                if (opening < soonestAt)
                    (soonest, soonestAt) = (bucket, opening);
            }

            // It goes to wait for money, by itself: nobody stands behind one who cannot pay.
            if (!payable && head.Unrung)
                plan.ToDecideAgain.Add(head.Id);
            // A limit was learned since it came to stand here, and it can never pass: it is decided again, and told so.
            else if (soonest is null && head.Unrung && candidates.Count > 0 && candidates.All(c => !BucketRule.CanEverFit(c.Bucket, c.Need)))
                plan.ToDecideAgain.Add(head.Id);
            // The catalogue has changed since, and nobody of its line is there any more: it is routed again.
            else if (head.Unrung && line.BucketIds.All(id => directory.Find(id) is null))
                plan.ToDecideAgain.Add(head.Id);
            if (granted || soonest is null)
                continue;
            kept.Add(soonest.Id);
            plan.NextOpening = Earlier(plan.NextOpening, soonestAt <= now ? now + options.Tick : soonestAt);
        }

        // There are more than were looked at: go on at the next tick.
        if (plan.Grants.Count > 0 && plan.Grants.Count + kept.Count < heads.Count)
            plan.NextOpening = Earlier(plan.NextOpening, now + options.Tick);
        return plan;
    }

    private bool IsOutOfDate(LineRow line, Dictionary<string, BucketRow> buckets, DateOnly today) => line.BucketIds.Any(id =>
        directory.Find(id)?.Model.IsRetired(today) == true || (buckets.TryGetValue(id, out var bucket) && DisabledReasons.IsGone(bucket.DisabledReason)));

    /// <summary>The ways a head may go, in the order in which they are tried; the same rule as for who has just come.</summary>
    private IReadOnlyList<Candidate> InOrder(LineRow line, LineHead head, Dictionary<string, BucketRow> buckets, List<Purse?> purses, PoolWeights weights, DateTime now)
    {
        var candidates = new List<Candidate>();
        foreach (var id in line.BucketIds)
        {
            if (!buckets.TryGetValue(id, out var bucket) || bucket.DisabledReason is not null || directory.Find(id) is not { } info)
                continue;
            candidates.Add(new Candidate(id, info.Model, bucket, estimates.Need(info.Model, head.Errand, head.PromptUnits, head.MaxOutputTokens), estimates.MostUsd(info.Model, head.PromptUnits, head.MaxOutputTokens)));
        }

        var tightest = purses.OfType<Purse>().MaxBy(p => p.UsedShare);
        // The same for every page of this complexity in the line, for as long as the round lasts.
        if (!weights.TryGetValue((line.Id, head.Complexity), out var weight) && line.Spread)
            weights[(line.Id, head.Complexity)] = weight = pool.Weights(candidates.Select(c => (c.Model, c.Bucket.TokensPerMinute)), head.Complexity);
        return OrderRule.Decide(candidates, line.Spread, head.Bound, tightest?.UsedShare ?? 0, tightest?.Id ?? "", now, weight is null ? null : c => weight(c.Model.Id).Weight).Candidates;
    }

    private async Task Grant(NpgsqlConnection connection, NpgsqlTransaction transaction, RoundPlan plan, Locked work, bool nobodyWaits, DateTime now, CancellationToken cancellationToken)
    {
        if (nobodyWaits)
            foreach (var bucket in work.Buckets)
                Backlog.Clear(bucket);
        if (plan.Grants.Count > 0)
        {
            await using var update = new NpgsqlCommand("""
                update tasks t set granted_at = $1, rung_at = $1, bucket = u.bucket, model = u.model, reserved_tokens = u.tokens, reserved_usd = u.usd, reserved_budgets = u.budgets, version = t.version + 1
                from (select * from unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::numeric[], $7::text[]) as x(id, bucket, model, tokens, usd, budgets) order by id) u
                where t.id = u.id and t.state = 'WaitingForCapacity' and t.granted_at is null returning t.id
                """, connection, transaction)
            {
                Parameters =
                {
                    new NpgsqlParameter<DateTime> { TypedValue = now },
                    new NpgsqlParameter<Guid[]> { TypedValue = [.. plan.Grants.Select(g => g.Head.Id)] },
                    new NpgsqlParameter<string[]> { TypedValue = [.. plan.Grants.Select(g => g.Bucket)] },
                    new NpgsqlParameter<string[]> { TypedValue = [.. plan.Grants.Select(g => g.Model)] },
                    new NpgsqlParameter<long[]> { TypedValue = [.. plan.Grants.Select(g => g.Need.Tokens)] },
                    new NpgsqlParameter<decimal?[]> { TypedValue = [.. plan.Grants.Select(g => g.PriceUsd)] },
                    new NpgsqlParameter<string[]> { TypedValue = [.. plan.Grants.Select(g => string.Join(' ', g.Head.Budgets))] },
                },
            };
            var booked = new HashSet<Guid>();
            await using (var reader = await update.ExecuteReaderAsync(cancellationToken))
                while (await reader.ReadAsync(cancellationToken))
                    booked.Add(reader.GetGuid(0));
            Book(plan, work, booked);
        }

        await using var write = new NpgsqlBatch(connection, transaction);
        if (plan.ToDecideAgain.Count > 0)
            write.BatchCommands.Add(new NpgsqlBatchCommand("update tasks set rung_at = $1 where id = any($2)") { Parameters = { new NpgsqlParameter<DateTime> { TypedValue = now }, new NpgsqlParameter<Guid[]> { TypedValue = [.. plan.ToDecideAgain] } } });
        plan.Alerts = thresholds.Crossed(work.SharesBefore, work.Buckets, work.Budgets, now);
        if (plan.Alerts.Count > 0)
            write.BatchCommands.Add(tables.InsertAnnouncements([.. plan.Alerts.Select(a => a.ToRow())]));
        write.BatchCommands.Add(tables.UpdateBuckets(work.Buckets));
        if (work.Budgets.Count > 0)
            write.BatchCommands.Add(tables.UpdateBudgets(work.Budgets));
        var present = plan.Grants.Where(g => g.Booked).Select(g => g.Head.StartTag).DefaultIfEmpty(0).Max();
        write.BatchCommands.Add(new NpgsqlBatchCommand("update tenants set virtual_finish = greatest(virtual_finish, $1) where name = ''") { Parameters = { new NpgsqlParameter<double> { TypedValue = present } } });
        await write.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Room and money for those whose rows took the grant; those that were canceled in the meantime took nothing.</summary>
    internal static void Book(RoundPlan plan, Locked work, HashSet<Guid> booked)
    {
        foreach (var grant in plan.Grants.Where(g => booked.Contains(g.Head.Id)))
        {
            grant.Booked = true;
            BucketRule.Reserve(work.Buckets.Find(b => b.Id == grant.Bucket)!, grant.Need);
            if (grant.PriceUsd is { } usd)
                foreach (var budget in work.Budgets.Where(b => grant.Head.Budgets.Contains(b.Id)))
                    budget.ReservedUsd += usd;
            foreach (var bucket in work.Buckets.Where(b => grant.Line.BucketIds.Contains(b.Id)))
                Backlog.Leave(bucket, grant.Head.Priority, grant.Head.LineTokens);
        }
    }

    private static DateTime? Earlier(DateTime? a, DateTime? b) => a is null ? b : b is null || a < b ? a : b;

    internal sealed class Locked
    {
        public List<BucketRow> Buckets { get; } = [];
        public List<BudgetRow> Budgets { get; } = [];
        public List<object> Bells { get; } = [];
        public Dictionary<string, double> SharesBefore { get; } = new(StringComparer.Ordinal);
        public DateTime? NextDue { get; set; }
    }

    internal sealed record PlannedGrant(LineHead Head, string Bucket, string Model, Need Need, decimal? PriceUsd, LineRow Line)
    {
        public bool Booked { get; set; }
    }

    internal sealed class RoundPlan
    {
        public List<PlannedGrant> Grants { get; } = [];
        public List<Guid> ToDecideAgain { get; } = [];
        public DateTime? NextOpening { get; set; }
        public IReadOnlyList<Announcement> Alerts { get; set; } = [];
    }

    /// <summary>What a budget can still pay in this round.</summary>
    private sealed class Purse(BudgetRow budget)
    {
        private decimal? _left = budget.LimitUsd - budget.SpentUsd - budget.InFlightUsd;

        public string Id => budget.Id;

        public double UsedShare => budget.LimitUsd is > 0 and { } limit ? (double)(1 - (_left!.Value / limit)) : budget.LimitUsd is null ? 0 : 1;

        /// <summary>A limited budget pays nothing whose price is unknown: it could not be kept.</summary>
        public bool CanPay(decimal? price) => _left is null || price <= _left;

        public void Pay(decimal? price) => _left -= price ?? 0;
    }
}
