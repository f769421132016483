using LlmQueue.Catalogue;
using LlmQueue.Limits;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Storage.Queue;

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
            Buckets = g.Buckets is { } buckets ? IdList.Read(buckets).Ids : g.Line is null ? [] : [g.Line],
        });
    }

    private static BucketStatus Sight(TokenBucket row, DateTime now)
    {
        var present = row.Copy();
        BucketRule.Refill(present, now);
        var closed = present.ClosedUntil > now;
        return new BucketStatus
        {
            Id = row.Id, Model = $"{row.Provider}:{row.Model}", Organisation = row.Organisation,
            Windows = [.. Windows(present)],
            ClosedUntil = closed ? present.ClosedUntil : null, ClosedReason = closed ? present.ClosedReason : null,
            DisabledReason = row.DisabledReason?.ToString(),
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
