using LlmQueue.Contracts;
using LlmQueue.Limits;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Tables;
using Npgsql;

namespace LlmQueue.Worker.Scheduling;

/// <summary>
/// The rows of a scheduling cycle, locked for as long as its transaction lasts: the buckets and budgets that tasks wait for, and the
/// back-offs that are over.
/// </summary>
internal sealed class CycleTransaction
{
    public List<TokenBucket> Buckets { get; } = [];
    public List<Budget> Budgets { get; } = [];
    public List<object> Commands { get; } = [];
    public Dictionary<string, double> SharesBefore { get; } = new(StringComparer.Ordinal);
    public DateTime? NextDue { get; set; }

    public static async Task<CycleTransaction> Lock(
        NpgsqlConnection connection, NpgsqlTransaction transaction, DateTime now, TimeSpan unanswered, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection, transaction);
        foreach (var (setting, value) in LimitLocks.FreesIfSilent)
            batch.BatchCommands.Add(new NpgsqlBatchCommand($"set local {setting} = '{value}'"));
        batch.BatchCommands.Add(
            new NpgsqlBatchCommand($"select {StoreTables.BucketColumns} from buckets where waiting > 0 order by id for update"));
        batch.BatchCommands.Add(new NpgsqlBatchCommand(
            $"select {StoreTables.BudgetColumns} from budgets where (period_start <= $1 and period_end > $1) "
                + "or waiting > 0 order by id for update") { Parameters = { new NpgsqlParameter<DateTime> { TypedValue = now } } });
        batch.BatchCommands.Add(new NpgsqlBatchCommand("""
            update tasks t set rung_at = $1 where t.id in (
                select id from tasks where state = 'WaitingToRetry' and due_at <= $1 and (rung_at < due_at or rung_at < $2) order by due_at limit 500 for update skip locked)
            returning t.id, t.attempt
            """) { Parameters = { new NpgsqlParameter<DateTime> { TypedValue = now }, new NpgsqlParameter<DateTime> { TypedValue = now - unanswered } } });
        batch.BatchCommands.Add(
            new NpgsqlBatchCommand("select min(due_at) from tasks where state in ('WaitingToRetry', 'WaitingForBudget') and due_at > $1")
            {
                Parameters = { new NpgsqlParameter<DateTime> { TypedValue = now } },
            });
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        var locked = new CycleTransaction();
        while (await reader.ReadAsync(cancellationToken))
            locked.Buckets.Add(StoreTables.ReadBucket(reader));
        await reader.NextResultAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            locked.Budgets.Add(StoreTables.ReadBudget(reader));
        await reader.NextResultAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            locked.Commands.Add(new RetryDelayElapsed(reader.GetGuid(0), reader.GetInt32(1)));
        await reader.NextResultAsync(cancellationToken);
        if (await reader.ReadAsync(cancellationToken) && !reader.IsDBNull(0))
            locked.NextDue = reader.GetDateTime(0);
        foreach (var bucket in locked.Buckets)
            BucketRule.Refill(bucket, now);
        Thresholds.Note(locked.SharesBefore, locked.Buckets, locked.Budgets);
        return locked;
    }
}
