using LlmQueue.Limits;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Tables;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using NpgsqlTypes;

namespace LlmQueue.Storage.Budgets;

/// <summary>The budgets and the rows of their running periods. A period's row is written before the first task draws on it.</summary>
public sealed class BudgetRepository(
    NpgsqlDataSource database, IDbContextFactory<QueueDb> contexts, StoreTables tables, LimitViews views, CapacitySignal capacitySignal,
    TimeProvider clock)
{
    private IReadOnlyList<BudgetLimitRow> _limits = [];

    /// <summary>The budgets a task draws on now: the installation's day always, the others where they are limited.</summary>
    public IReadOnlyList<string> Of(string tenant, string? agent, string? kind, DateTime now)
    {
        var ids = new List<string> { BudgetPeriods.Id(BudgetPeriods.Installation, BudgetPeriods.Day, now) };
        foreach (var limit in _limits)
        {
            var draws = limit.Scope == BudgetPeriods.Installation
                || limit.Scope == $"tenant:{tenant}"
                || (agent is not null && limit.Scope == $"class:{agent}")
                || (kind is not null && limit.Scope == $"class:{kind}");
            if (draws && !(limit.Scope == BudgetPeriods.Installation && limit.Period == BudgetPeriods.Day))
                ids.Add(BudgetPeriods.Id(limit.Scope, limit.Period, now));
        }

        ids.Sort(StringComparer.Ordinal);
        return ids;
    }

    /// <summary>Makes sure that the rows of these budgets are there; without a query when they are known.</summary>
    public async ValueTask Open(IReadOnlyList<string> ids, CancellationToken cancellationToken = default)
    {
        if (ids.All(id => views.Budget(id) is not null))
            return;
        await OpenPeriods(clock.GetUtcNow().UtcDateTime, cancellationToken);
    }

    /// <summary>Reads the limits and writes the rows of the running and the coming periods.</summary>
    /// <param name="dailyUsd">What BUDGET_DAILY_USD says; a value that differs from the one it said at the last start replaces whatever
    /// was set since.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task Begin(decimal? dailyUsd, CancellationToken cancellationToken)
    {
        await using (var command = database.CreateCommand("""
            insert into budget_limits as b (scope, period, limit_usd, environment_usd) values ('installation', 'day', $1, $1)
            on conflict (scope, period) do update set limit_usd = $1, environment_usd = $1 where b.environment_usd is distinct from $1
            """))
        {
            command.Parameters.Add(new NpgsqlParameter<decimal?> { TypedValue = dailyUsd, NpgsqlDbType = NpgsqlDbType.Numeric });
            await command.ExecuteNonQueryAsync(cancellationToken);
        }

        var now = clock.GetUtcNow().UtcDateTime;
        await OpenPeriods(now, cancellationToken);
        await OpenPeriods(now.AddDays(1), cancellationToken);
    }

    /// <summary>Sets a budget's limit while the queue runs; null lifts it. Work that waits for this money moves at once.</summary>
    public async Task Set(string scope, string period, decimal? limitUsd, CancellationToken cancellationToken)
    {
        if (BudgetPeriods.WhatIsWrong(scope, period) is { } wrong)
            throw new ArgumentException(wrong);
        await using (var command = database.CreateCommand("""
            insert into budget_limits (scope, period, limit_usd, environment_usd) values ($1, $2, $3, null)
            on conflict (scope, period) do update set limit_usd = $3
            """))
        {
            command.Parameters.AddWithValue(scope);
            command.Parameters.AddWithValue(period);
            command.Parameters.Add(new NpgsqlParameter<decimal?> { TypedValue = limitUsd, NpgsqlDbType = NpgsqlDbType.Numeric });
            await command.ExecuteNonQueryAsync(cancellationToken);
        }

        await OpenPeriods(clock.GetUtcNow().UtcDateTime, cancellationToken);
        capacitySignal.Send();
    }

    /// <summary>Takes over what other processes have set since; writes nothing.</summary>
    public async Task Refresh(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var limits = await db.BudgetLimits.AsNoTracking().ToListAsync(cancellationToken);
        var now = clock.GetUtcNow().UtcDateTime;
        var ids = limits.ConvertAll(l => BudgetPeriods.Id(l.Scope, l.Period, now));
        foreach (var row in await db.Budgets.AsNoTracking().Where(b => ids.Contains(b.Id)).ToListAsync(cancellationToken))
            views.Refresh(row);
        // Last: who is told to draw on a budget finds its row.
        _limits = limits;
    }

    /// <summary>Takes over what other processes have set, and opens the periods of that moment.</summary>
    public async Task OpenPeriods(DateTime now, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        _limits = await db.BudgetLimits.AsNoTracking().ToListAsync(cancellationToken);
        var rows = _limits.Select(l => BudgetPeriods.NewRow(l.Scope, l.Period, l.LimitUsd, now))
            .OrderBy(r => r.Id, StringComparer.Ordinal).ToList();
        if (rows.Count == 0)
            rows.Add(BudgetPeriods.NewRow(BudgetPeriods.Installation, BudgetPeriods.Day, null, now));
        await using (var connection = await database.OpenConnectionAsync(cancellationToken))
        await using (var batch = new NpgsqlBatch(connection))
        {
            batch.BatchCommands.Add(tables.InsertBudgets(rows));
            batch.BatchCommands.Add(tables.RelimitBudgets(rows));
            await batch.ExecuteNonQueryAsync(cancellationToken);
        }

        var ids = rows.ConvertAll(r => r.Id);
        foreach (var row in await db.Budgets.AsNoTracking().Where(b => ids.Contains(b.Id)).ToListAsync(cancellationToken))
            views.Show(row);
    }
}
