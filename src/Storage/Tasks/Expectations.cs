using LlmQueue.Limits;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Storage.Tasks;

/// <summary>
/// Estimates anew when waiting tasks move, from their present places: the estimate of the moment they were enqueued has aged with every
/// refusal, every limit that was learned and every task that went before them. Reads the few rows of limits, never the wait queues.
/// </summary>
internal sealed class Expectations
{
    private readonly Dictionary<string, TokenBucket> _buckets;
    private readonly Dictionary<string, WaitQueue> _lines;
    private readonly Dictionary<string, double> _weights;
    private readonly double _present;
    private readonly int _activeTenants;
    private readonly DateTime _now;

    private Expectations(
        Dictionary<string, TokenBucket> buckets, Dictionary<string, WaitQueue> lines, List<TenantShare> tenants, DateTime now)
    {
        (_buckets, _lines, _now) = (buckets, lines, now);
        _weights = tenants.ToDictionary(t => t.Name, t => t.Weight, StringComparer.Ordinal);
        _present = tenants.Find(t => t.Name.Length == 0)?.VirtualFinish ?? 0;
        _activeTenants = tenants.Count(t => t.VirtualFinish > _present);
    }

    /// <summary>Null when none of the rows is in a wait queue: then nothing is read.</summary>
    public static async Task<Expectations?> For(QueueDb db, IReadOnlyList<TaskRow> rows, DateTime now, CancellationToken cancellationToken)
    {
        var lines = rows.Where(StandsInLine).Select(r => r.Wait.QueueId!).Distinct().ToList();
        if (lines.Count == 0)
            return null;
        var buckets = await db.Buckets.AsNoTracking().Where(b => b.Waiting > 0)
            .ToDictionaryAsync(b => b.Id, StringComparer.Ordinal, cancellationToken);
        foreach (var bucket in buckets.Values)
            BucketRule.Refill(bucket, now);
        return new Expectations(buckets, await db.Lines.AsNoTracking().Where(l => lines.Contains(l.Id))
            .ToDictionaryAsync(l => l.Id, StringComparer.Ordinal, cancellationToken),
            await db.Tenants.AsNoTracking().ToListAsync(cancellationToken), now);
    }

    /// <summary>A new estimate for a task in a wait queue, else what its row says.</summary>
    public DateTime? Of(TaskRow row)
    {
        if (!StandsInLine(row) || !_lines.TryGetValue(row.Wait.QueueId!, out var line))
            return row.Wait.ExpectedAt;
        var buckets = line.BucketIds.Select(_buckets.GetValueOrDefault).OfType<TokenBucket>().ToList();
        return WaitRule.MovesAt(buckets, row.PlaceInQueue(_weights.GetValueOrDefault(row.Tenant, 1), _present, _activeTenants), _now);
    }

    private static bool StandsInLine(TaskRow row) =>
        row is { State: TaskStates.WaitingForCapacity, Wait: { QueueId: not null, GrantedAt: null } };
}
