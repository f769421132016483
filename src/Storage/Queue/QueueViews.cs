using LlmQueue.Catalogue;
using LlmQueue.Limits;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Storage.Queue;

/// <summary>The queue as a whole: what is in it, what it waits for, and what may still be asked of whom.</summary>
public sealed record QueueView
{
    public required DateTime At { get; init; }

    /// <summary>Tasks by state; states without a task are left out.</summary>
    public required IReadOnlyDictionary<string, long> Tasks { get; init; }

    /// <summary>Summaries by state, likewise.</summary>
    public required IReadOnlyDictionary<string, long> Summaries { get; init; }
    public required IReadOnlyList<WaitQueueView> Waiting { get; init; }
    public required IReadOnlyList<BucketStatus> Buckets { get; init; }
    public required IReadOnlyList<BudgetStatus> Budgets { get; init; }
    public required IReadOnlyList<KeyStatus> Keys { get; init; }

    /// <summary>Models in use that retire within two months, or have without a successor; soonest first.</summary>
    public required IReadOnlyList<Retirement> Retirements { get; init; }
}

/// <summary>Tasks of one wait queue, or of one budget, that wait for the same reason.</summary>
public sealed record WaitQueueView
{
    public required string WaitingFor { get; init; }

    /// <summary>Without the moment it ends.</summary>
    public required string Reason { get; init; }

    /// <summary>The buckets that serve the wait queue, or the budget that is spent.</summary>
    public required IReadOnlyList<string> Buckets { get; init; }
    public required int Count { get; init; }
    public DateTime? ExpectedAt { get; init; }
    public DateTime? OldestSince { get; init; }
}

/// <summary>What one organisation may still ask of one model; levels as of now.</summary>
public sealed record BucketStatus
{
    public required string Id { get; init; }
    public required string Model { get; init; }
    public required string Organisation { get; init; }
    public required IReadOnlyList<WindowStatus> Windows { get; init; }
    public DateTime? ClosedUntil { get; init; }
    public string? ClosedReason { get; init; }
    public string? DisabledReason { get; init; }
    public required BreakerStatus Breaker { get; init; }
    public required int Waiting { get; init; }
    public required long RequestsInFlight { get; init; }
    public required long TokensInFlight { get; init; }
    public required long Throttled { get; init; }
}

/// <summary>A bucket's circuit breaker, the same for all workers.</summary>
/// <param name="State"><c>closed</c>, <c>open</c> (nothing is sent but probes) or <c>recovering</c> (calls come back step by step).</param>
/// <param name="Reason">Why it opened; null when it has not.</param>
/// <param name="Since">When it opened.</param>
/// <param name="NextProbeAt">When the next call is let through; null unless it is open.</param>
/// <param name="AnsweredAt">When the provider last answered, were it with a refusal.</param>
public sealed record BreakerStatus(string State, string? Reason, DateTime? Since, DateTime? NextProbeAt, DateTime? AnsweredAt);

/// <summary>One limit and what is left of it now; a window that is not limited is left out.</summary>
/// <param name="Name"><c>requestsPerMinute</c>, <c>requestsPerDay</c>, <c>tokensPerMinute</c> or <c>tokensPerDay</c>.</param>
/// <param name="Limit">As the catalogue or the provider says.</param>
/// <param name="Level">What may be taken now; below 0 when more was taken than there was.</param>
public sealed record WindowStatus(string Name, double Limit, double Level);

/// <summary>A budget whose period runs; null as a limit is unlimited.</summary>
public sealed record BudgetStatus(
    string Id, string Scope, DateTime PeriodStart, DateTime PeriodEnd, decimal? LimitUsd, decimal SpentUsd, decimal InFlightUsd,
    int Waiting);

/// <summary>A key by its alias; the key itself is stored nowhere.</summary>
public sealed record KeyStatus(
    string Alias, string Provider, string Organisation, long Calls, long Throttled, long Faults, long InputTokens, long OutputTokens,
    DateTime? LastUsedAt, string? RefusedReason, DateTime? RefusedAt);

/// <summary>Reads the queue as a whole.</summary>
public sealed class QueueViews(IDbContextFactory<QueueDb> contexts, CurrentCatalogue catalogue, TimeProvider clock)
{
    private const int MostLines = 100;

    public async Task<QueueView> Read(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return new QueueView
        {
            At = now,
            Tasks = InOrder(
                await db.Tasks.GroupBy(t => t.State).Select(g => new StateCount(g.Key, g.LongCount())).ToListAsync(cancellationToken),
                TaskStates.All),
            Summaries = InOrder(
                await db.Summaries.GroupBy(s => s.State).Select(g => new StateCount(g.Key, g.LongCount())).ToListAsync(cancellationToken),
                SummaryStates.All),
            Retirements = [.. RetirementRule.Of(catalogue.Now, DateOnly.FromDateTime(now)).Where(r => r.IsWarning)],
            Waiting = await Lines(db, cancellationToken),
            Buckets = [.. (await db.Buckets.AsNoTracking().OrderBy(b => b.Id).ToListAsync(cancellationToken)).Select(b => Sight(b, now))],
            Budgets = [.. (await db.Budgets.AsNoTracking().Where(b => b.PeriodEnd > now).OrderBy(b => b.Id).ToListAsync(cancellationToken))
                .Select(
                    b => new BudgetStatus(b.Id, b.Scope, b.PeriodStart, b.PeriodEnd, b.LimitUsd, b.SpentUsd, b.InFlightUsd, b.Waiting))],
            Keys = await db.Keys.AsNoTracking().OrderBy(k => k.Alias)
                .Select(k => new KeyStatus(k.Alias, k.Provider, k.Organisation, k.Calls, k.Throttled, k.Faults, k.InputTokens,
                    k.OutputTokens, k.LastUsedAt, k.RefusedReason, k.RefusedAt))
                .ToListAsync(cancellationToken),
        };
    }

    private static async Task<List<WaitQueueView>> Lines(QueueDb db, CancellationToken cancellationToken)
    {
        var groups = await db.Database.SqlQuery<LineGroup>($"""
            select w."WaitingFor", w."Line", w."Reason", w."Count", w."ExpectedAt", w."OldestSince", l.buckets as "Buckets" from (
                select waiting_for as "WaitingFor", line as "Line", regexp_replace(wait_reason, ' until [0-9:.]+ UTC', '') as "Reason",
                    count(*)::int as "Count", min(expected_at) as "ExpectedAt", min(waiting_since) as "OldestSince"
                from tasks where state in ('WaitingForCapacity', 'WaitingForBudget', 'WaitingToRetry') group by 1, 2, 3 order by 4 desc, 3 limit {MostLines}) w
            left join lines l on l.id = w."Line" order by w."Count" desc, w."Reason"
            """).ToListAsync(cancellationToken);
        return groups.ConvertAll(g => new WaitQueueView
        {
            WaitingFor = g.WaitingFor ?? "", Reason = g.Reason ?? "", Count = g.Count, ExpectedAt = g.ExpectedAt,
            OldestSince = g.OldestSince,
            Buckets = g.Buckets?.Split(' ') ?? (g.Line is null ? [] : [g.Line]),
        });
    }

    private static BucketStatus Sight(TokenBucket row, DateTime now)
    {
        var present = BucketRule.Copy(row);
        BucketRule.Refill(present, now);
        var closed = present.ClosedUntil > now;
        return new BucketStatus
        {
            Id = row.Id, Model = $"{row.Provider}:{row.Model}", Organisation = row.Organisation,
            Windows = [.. Windows(present)],
            ClosedUntil = closed ? present.ClosedUntil : null, ClosedReason = closed ? present.ClosedReason : null,
            DisabledReason = row.DisabledReason,
            Breaker = new BreakerStatus(BreakerRule.StateOf(row, now).ToString().ToLowerInvariant(), row.BrokenReason, row.BrokenSince,
                row.ProbeAt, row.AnsweredAt),
            Waiting = row.Waiting,
            RequestsInFlight = row.ReservedRequests - row.SettledRequests - row.ReleasedRequests,
            TokensInFlight = row.ReservedTokens - row.SettledTokens - row.ReleasedTokens,
            Throttled = row.Throttled,
        };
    }

    private static IEnumerable<WindowStatus> Windows(TokenBucket row)
    {
        (string Name, double? Limit, double Level)[] all =
        [
            ("requestsPerMinute", row.RequestsPerMinute, row.LevelRequestsMinute),
            ("requestsPerDay", row.RequestsPerDay, row.LevelRequestsDay),
            ("tokensPerMinute", row.TokensPerMinute, row.LevelTokensMinute), ("tokensPerDay", row.TokensPerDay, row.LevelTokensDay),
        ];
        return all.Where(w => w.Limit is not null).Select(w => new WindowStatus(w.Name, w.Limit!.Value, Math.Round(w.Level, 3)));
    }

    private static Dictionary<string, long> InOrder(List<StateCount> counts, IReadOnlyList<string> states) =>
        states.Concat(counts.Select(c => c.State)).Distinct().Join(counts, s => s, c => c.State, (_, c) => c)
            .ToDictionary(c => c.State, c => c.Count);

    private sealed record StateCount(string State, long Count);

    private sealed record LineGroup(
        string? WaitingFor, string? Line, string? Reason, int Count, DateTime? ExpectedAt, DateTime? OldestSince, string? Buckets);
}
