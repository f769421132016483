using LlmQueue.Limits;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Tables;
using Npgsql;

namespace LlmQueue.Worker.Scheduling;

/// <summary>Writes what a round has planned: a task's row takes its grant first, and only then is room booked for it.</summary>
public sealed class CycleBooking(StoreTables tables, Thresholds thresholds)
{
    internal async Task Grant(
        NpgsqlConnection connection, NpgsqlTransaction transaction, CyclePlan plan, CycleTransaction work, bool nobodyWaits, DateTime now,
        CancellationToken cancellationToken)
    {
        if (nobodyWaits)
            foreach (var bucket in work.Buckets)
                Backlog.Clear(bucket);
        if (plan.Grants.Count > 0)
        {
            await using var update = new NpgsqlCommand("""
                update tasks t set granted_at = $1, rung_at = $1, bucket = u.bucket, model = u.model, reserved_tokens = u.tokens, reserved_usd = u.usd, reserved_budgets = u.budgets, version = t.version + 1
                from (select x.id, x.bucket, x.model, x.tokens, x.usd, x.budgets
                    from unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::numeric[], $7::text[]) as x(id, bucket, model, tokens, usd, budgets) order by x.id) u
                where t.id = u.id and t.state = 'WaitingForCapacity' and t.granted_at is null returning t.id
                """, connection, transaction)
            {
                Parameters =
                {
                    new NpgsqlParameter<DateTime> { TypedValue = now },
                    new NpgsqlParameter<Guid[]> { TypedValue = [.. plan.Grants.Select(g => g.Head.Id)] },
                    new NpgsqlParameter<string[]> { TypedValue = [.. plan.Grants.Select(g => g.Bucket)] },
                    new NpgsqlParameter<string[]> { TypedValue = [.. plan.Grants.Select(g => g.Model)] },
                    new NpgsqlParameter<long[]> { TypedValue = [.. plan.Grants.Select(g => g.Demand.Tokens)] },
                    new NpgsqlParameter<decimal?[]> { TypedValue = [.. plan.Grants.Select(g => g.PriceUsd)] },
                    new NpgsqlParameter<string[]> { TypedValue = [.. plan.Grants.Select(g => IdList.Of(g.Head.Budgets).ToString())] },
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
            write.BatchCommands.Add(new NpgsqlBatchCommand("update tasks set rung_at = $1 where id = any($2)")
            {
                Parameters =
                {
                    new NpgsqlParameter<DateTime> { TypedValue = now },
                    new NpgsqlParameter<Guid[]> { TypedValue = [.. plan.ToDecideAgain] },
                },
            });
        plan.Alerts = thresholds.Crossed(work.SharesBefore, work.Buckets, work.Budgets, now);
        if (plan.Alerts.Count > 0)
            write.BatchCommands.Add(tables.InsertOutbox([.. plan.Alerts.Select(a => a.ToRow())]));
        write.BatchCommands.Add(tables.UpdateBuckets(work.Buckets));
        if (work.Budgets.Count > 0)
            write.BatchCommands.Add(tables.UpdateBudgets(work.Budgets));
        var present = plan.Grants.Where(g => g.Booked).Select(g => g.Head.StartTag).DefaultIfEmpty(0).Max();
        write.BatchCommands.Add(new NpgsqlBatchCommand("update tenants set virtual_finish = greatest(virtual_finish, $1) where name = ''")
        {
            Parameters = { new NpgsqlParameter<double> { TypedValue = present } },
        });
        await write.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Room and money for those whose rows took the grant; those that were canceled in the meantime took nothing.</summary>
    internal static void Book(CyclePlan plan, CycleTransaction work, HashSet<Guid> booked)
    {
        foreach (var grant in plan.Grants.Where(g => booked.Contains(g.Head.Id)))
        {
            grant.Booked = true;
            BucketRule.Reserve(work.Buckets.Find(b => b.Id == grant.Bucket)!, grant.Demand);
            if (grant.PriceUsd is { } usd)
                foreach (var budget in work.Budgets.Where(b => grant.Head.Budgets.Contains(b.Id)))
                    budget.ReservedUsd += usd;
            foreach (var bucket in work.Buckets.Where(b => grant.Line.BucketIds.Contains(b.Id)))
                Backlog.Leave(bucket, grant.Head.Priority, grant.Head.LineTokens);
        }
    }
}
