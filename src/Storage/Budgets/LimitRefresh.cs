using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Loops;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Storage.Budgets;

/// <summary>
/// Reads buckets, budgets and refused keys anew where they have changed, every 1.5 s. A commit shows only the rows it touched, and
/// only to its own process: a budget set through another process, or a model that another worker has enabled again, would otherwise
/// never be known here.
/// </summary>
public sealed class LimitRefresh(
    LimitConnection own, IDbContextFactory<QueueDb> contexts, LimitViews views, BudgetRepository budgets, TimeProvider clock,
    ILogger<LimitRefresh> logger) : BackgroundService
{
    /// <summary>With the time that a read takes, no view is older than two seconds.</summary>
    public static readonly TimeSpan Every = TimeSpan.FromSeconds(1.5);

    /// <summary>
    /// One small statement a second while nothing changes: an idle worker leaves the database alone. It covers whole rows, so nothing that
    /// a view shows can change without it.
    /// </summary>
    private const string Fingerprint = """
        select md5(coalesce((select string_agg(b::text, ';' order by b.id) from buckets b), '')
            || coalesce((select string_agg(l::text, ';' order by l.scope, l.period) from budget_limits l), '')
            || coalesce((select string_agg(g::text, ';' order by g.id) from budgets g where g.period_end > now()), '')
            || coalesce((select string_agg(k.alias || ' ' || coalesce(k.refused_reason, ''), ';' order by k.alias) from keys k), ''))
        """;

    private string? _seen;
    private bool _isAway;

    public async Task Refresh(CancellationToken cancellationToken)
    {
        await budgets.Refresh(cancellationToken);
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        foreach (var bucket in await db.Buckets.AsNoTracking().ToListAsync(cancellationToken))
            views.Refresh(bucket);
        foreach (var key in await db.Keys.AsNoTracking().Select(k => new { k.Alias, k.RefusedReason }).ToListAsync(cancellationToken))
            views.ShowKey(key.Alias, key.RefusedReason);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
                await TryRefresh(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            logger.LogDebug("Limits are read no more: the process stops.");
        }
    }

    private async Task RefreshWhatChanged(CancellationToken cancellationToken)
    {
        string? now;
        await using (var connection = await own.Open(cancellationToken))
        await using (var command = new NpgsqlCommand(Fingerprint, connection))
            now = (string?)await command.ExecuteScalarAsync(cancellationToken);
        if (now == _seen)
            return;
        await Refresh(cancellationToken);
        _seen = now;
    }

    private async Task TryRefresh(CancellationToken cancellationToken)
    {
        try
        {
            await RefreshWhatChanged(cancellationToken);
            _isAway = false;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && e is not OutOfMemoryException)
        {
            // Whatever it is, the next look tries again: a loop that ended here would let views grow old without a word.
            if (!_isAway)
                logger.Log(DatabaseFaults.IsPassing(e) ? LogLevel.Information : LogLevel.Warning,
                    "Limits and budgets cannot be read now ({Reason}); what was read last counts, and it is tried again every {Seconds} s.",
                    e.Message, Every.TotalSeconds);
            _isAway = true;
        }
    }
}
