using LlmQueue.Limits;
using LlmQueue.Storage.Tables;
using LlmQueue.Storage.UnitsOfWork;
using Npgsql;

namespace LlmQueue.Storage.Ledger;

/// <summary>
/// Locks the rows of the limits that a group touches. Always in one order, so that two groups cannot deadlock: buckets, budgets,
/// tenants; each by name.
/// </summary>
public static class LimitLocks
{
    /// <summary>
    /// A process that locks limits and then goes silent (its machine is lost or its network is cut, and the server sees neither)
    /// would block everybody until TCP gives up, which takes hours. A commit takes milliseconds, so the server may end such a
    /// transaction after seconds.
    /// </summary>
    public static readonly IReadOnlyDictionary<string, string> FreesIfSilent = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["idle_in_transaction_session_timeout"] = "5s",
        // A connection that went silent in the middle of a statement does not count as idle: the server waits for the rest of it.
        ["statement_timeout"] = "10s",
    };

    /// <summary>
    /// Locks the limits that the group names and gives them to the ledger; does nothing when it names none. CommitConnections
    /// set the timeouts that free them.
    /// </summary>
    public static async Task Lock(
        LimitLedger ledger, NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<UnitOfWork> group,
        CancellationToken cancellationToken)
    {
        var buckets = new SortedSet<string>(StringComparer.Ordinal);
        var budgets = new SortedSet<string>(StringComparer.Ordinal);
        var tenants = new SortedSet<string>(StringComparer.Ordinal);
        var lines = new SortedDictionary<string, WaitQueue>(StringComparer.Ordinal);
        foreach (var transition in group)
        {
            Collect(transition.Reservation, buckets, budgets);
            Collect(transition.Settlement?.Reserved, buckets, budgets);
            buckets.UnionWith(transition.Dequeue?.Buckets ?? []);
            budgets.UnionWith(transition.BudgetWaiters.Keys);
            if (transition.Enqueue is { } enqueue)
            {
                buckets.UnionWith(enqueue.Line.BucketIds);
                lines[enqueue.Line.Id] = enqueue.Line;
                tenants.Add(transition.Task!.Tenant);
            }
        }

        if (buckets.Count + budgets.Count + tenants.Count == 0)
            return;

        await using var batch = new NpgsqlBatch(connection, transaction);
        if (tenants.Count > 0)
            batch.BatchCommands.Add(Named(
                "insert into tenants (name, weight, virtual_finish) select n, 1, 0 from unnest($1::text[]) "
                    + "n order by n on conflict do nothing",
                tenants));
        if (lines.Count > 0)
            batch.BatchCommands.Add(new NpgsqlBatchCommand("""
                insert into lines (id, buckets, spread)
                select l.id, l.buckets, l.spread from unnest($1::text[], $2::text[], $3::boolean[]) as l(id, buckets, spread) order by l.id
                on conflict do nothing
                """)
            {
                Parameters =
                {
                    new NpgsqlParameter<string[]> { TypedValue = [.. lines.Values.Select(l => l.Id)] },
                    new NpgsqlParameter<string[]> { TypedValue = [.. lines.Values.Select(l => l.Buckets.ToString())] },
                    new NpgsqlParameter<bool[]> { TypedValue = [.. lines.Values.Select(l => l.LoadBalanced)] },
                },
            });
        batch.BatchCommands.Add(
            Named($"select {StoreTables.BucketColumns} from buckets where id = any($1) order by id for update", buckets));
        batch.BatchCommands.Add(
            Named($"select {StoreTables.BudgetColumns} from budgets where id = any($1) order by id for update", budgets));
        if (tenants.Count > 0)
        {
            batch.BatchCommands.Add(
                Named($"select {StoreTables.TenantColumns} from tenants where name = any($1) order by name for update", tenants));
            batch.BatchCommands.Add(new NpgsqlBatchCommand("select p.virtual_finish, (select count(*) "
                + "from tenants t where t.virtual_finish > p.virtual_finish) from tenants p where p.name = ''"));
        }

        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        var lockedBuckets = await Rows(reader, StoreTables.ReadBucket, cancellationToken);
        var lockedBudgets = await Rows(reader, StoreTables.ReadBudget, cancellationToken);
        var lockedTenants = await Rows(reader, StoreTables.ReadTenant, cancellationToken);
        var (virtualTime, activeTenants) = await reader.ReadAsync(cancellationToken)
            ? (reader.GetDouble(0), (int)reader.GetInt64(1))
            : (0, 0);
        ledger.Take(lockedBuckets, lockedBudgets, lockedTenants, virtualTime, activeTenants);
    }

    private static async Task<List<T>> Rows<T>(NpgsqlDataReader reader, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken)
    {
        var rows = new List<T>();
        while (await reader.ReadAsync(cancellationToken))
            rows.Add(read(reader));
        await reader.NextResultAsync(cancellationToken);
        return rows;
    }

    private static void Collect(Reservation? reservation, SortedSet<string> buckets, SortedSet<string> budgets)
    {
        if (reservation is null)
            return;
        buckets.Add(reservation.Bucket);
        budgets.UnionWith(reservation.Budgets);
    }

    private static NpgsqlBatchCommand Named(string sql, IEnumerable<string> names) =>
        new(sql) { Parameters = { new NpgsqlParameter<string[]> { TypedValue = [.. names] } } };
}
