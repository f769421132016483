using LlmQueue.Store;
using LlmQueue.Store.Commits;
using LlmQueue.Store.Rows;
using LlmQueue.Store.Settings;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace LlmQueue.Worker.Admission;

/// <summary>The periods of the installation's budget. A period's row is written before the first task draws on it.</summary>
public sealed class Budgets(QueueSettings settings, LimitViews views, IDbContextFactory<QueueDb> contexts, NpgsqlDataSource database, StoreTables tables, TimeProvider clock)
{
    private const string Installation = "installation";

    /// <summary>The budgets a task draws on at this moment.</summary>
    public IReadOnlyList<string> Of(DateTime now) => [$"{Installation}/{now:yyyy-MM-dd}"];

    /// <summary>Writes the rows of today and tomorrow, so that midnight finds its budget.</summary>
    public async Task Open(CancellationToken cancellationToken)
    {
        var today = clock.GetUtcNow().UtcDateTime.Date;
        var rows = Enumerable.Range(0, 2).Select(i => today.AddDays(i)).Select(day => new BudgetRow
        {
            Id = $"{Installation}/{day:yyyy-MM-dd}", Scope = Installation, PeriodStart = DateTime.SpecifyKind(day, DateTimeKind.Utc), PeriodEnd = DateTime.SpecifyKind(day.AddDays(1), DateTimeKind.Utc),
            LimitUsd = settings.DailyBudgetUsd,
        }).ToList();
        await using (var connection = await database.OpenConnectionAsync(cancellationToken))
        await using (var batch = new NpgsqlBatch(connection))
        {
            batch.BatchCommands.Add(tables.InsertBudgets(rows));
            // The environment is where the limit is set: a new value counts from the next start, for the running day too.
            batch.BatchCommands.Add(new NpgsqlBatchCommand("update budgets set limit_usd = $1 where id = any($2) and limit_usd is distinct from $1")
            {
                Parameters = { new NpgsqlParameter<decimal?> { TypedValue = settings.DailyBudgetUsd, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Numeric }, new NpgsqlParameter<string[]> { TypedValue = [.. rows.Select(r => r.Id)] } },
            });
            await batch.ExecuteNonQueryAsync(cancellationToken);
        }

        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        foreach (var row in await db.Budgets.AsNoTracking().Where(b => b.PeriodEnd > today).ToListAsync(cancellationToken))
            views.Show(row);
    }
}
