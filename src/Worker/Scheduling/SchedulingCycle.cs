using LlmQueue.Contracts;
using LlmQueue.Limits;
using LlmQueue.Storage.Budgets;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Outbox;
using Npgsql;

namespace LlmQueue.Worker.Scheduling;

/// <summary>The result of a cycle: the commands to send, and when something may be done next.</summary>
public sealed record SchedulingResult(IReadOnlyList<object> Commands, DateTime? NextOpening);

/// <summary>
/// A scheduling cycle, one transaction: back-offs that are over, money that has come back, and the wait queues. Buckets are locked before
/// anything is looked at, so a task that is being enqueued is either seen now or wakes the scheduler after.
/// </summary>
public sealed class SchedulingCycle(
    NpgsqlDataSource database, LimitViews views, CyclePlanner planner, CycleBooking booking, BudgetRepository budgets,
    OutboxPublisher outbox, TimeProvider clock)
{
    // A command that has not moved its task in this time is sent again.
    private static readonly TimeSpan Unanswered = TimeSpan.FromSeconds(15);

    /// <summary>No budget is this large; a number for PostgreSQL in the place of "unlimited".</summary>
    private const decimal MostUsd = 1e15m;

    public async Task<SchedulingResult> Run(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var commands = new List<object>();
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var work = await CycleTransaction.Lock(connection, transaction, now, Unanswered, cancellationToken);
        commands.AddRange(work.Commands);
        var next = work.NextDue;
        IReadOnlyList<OutboxMessage> alerts = [];

        commands.AddRange(await ReleaseMoney(connection, transaction, work, now, cancellationToken));
        next = CyclePlan.Earlier(next, work.Budgets.Where(b => b.Waiting > 0).Select(b => (DateTime?)b.PeriodEnd).Min());

        if (work.Buckets.Any(b => b.Waiting > 0))
        {
            var heads = await WaitQueueHeads.Read(connection, transaction, budgets, now, Unanswered, cancellationToken);
            var plan = await planner.Plan(heads, work, now);
            await booking.Grant(connection, transaction, plan, work, heads.Count == 0, now, cancellationToken);
            commands.AddRange(plan.Grants.Where(g => g.Booked).Select(g => new CapacityGranted(g.Head.Id, g.Head.Attempt + 1)));
            commands.AddRange(plan.ToDecideAgain.Select(id => new BudgetReleased(id)));
            next = CyclePlan.Earlier(next, plan.NextOpening);
            alerts = plan.Alerts;
        }

        await transaction.CommitAsync(cancellationToken);
        outbox.Publish(alerts);
        foreach (var bucket in work.Buckets)
            views.Show(bucket);
        foreach (var budget in work.Budgets)
            views.Show(budget);
        return new SchedulingResult(commands, next);
    }

    /// <summary>
    /// Wakes those that wait for money and that the money left can pay, in their order: one that needs more than is left is
    /// passed over, and holds up nobody behind it. After the period's end, all. What has no known price is woken as well:
    /// admission says what becomes of it.
    /// </summary>
    private static async Task<List<object>> ReleaseMoney(
        NpgsqlConnection connection, NpgsqlTransaction transaction, CycleTransaction work, DateTime now,
        CancellationToken cancellationToken)
    {
        var released = new List<object>();
        foreach (var budget in work.Budgets.Where(b => b.Waiting > 0))
        {
            var left = budget.PeriodEnd <= now || budget.LimitUsd is null
                ? MostUsd
                : Math.Min(MostUsd, budget.LimitUsd.Value - budget.SpentUsd - budget.InFlightUsd);
            if (left <= 0)
                continue;
            var paid = MoneyRule.WhoCanBePaid(await WaitingFor(budget, left), left);
            await using var command = new NpgsqlCommand("update tasks set rung_at = $2 where id = any($1) returning id", connection,
                transaction)
            {
                Parameters = { new NpgsqlParameter<Guid[]> { TypedValue = [.. paid] }, new NpgsqlParameter<DateTime> { TypedValue = now } },
            };
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
                released.Add(new BudgetReleased(reader.GetGuid(0)));
        }

        return released;

        async Task<List<(Guid Id, decimal? Usd)>> WaitingFor(Budget budget, decimal left)
        {
            await using var command = new NpgsqlCommand("""
                select id, reserved_usd from tasks
                where state = 'WaitingForBudget' and line = $1 and (rung_at <= waiting_since or rung_at < $2) and coalesce(reserved_usd, 0) <= $3
                order by priority, submitted_at, id limit 500
                """, connection, transaction)
            {
                Parameters =
                {
                    new NpgsqlParameter<string> { TypedValue = budget.Id },
                    new NpgsqlParameter<DateTime> { TypedValue = now - Unanswered },
                    new NpgsqlParameter<decimal> { TypedValue = left },
                },
            };
            var waiting = new List<(Guid, decimal?)>();
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
                waiting.Add((reader.GetGuid(0), reader.IsDBNull(1) ? null : reader.GetDecimal(1)));
            return waiting;
        }
    }
}
