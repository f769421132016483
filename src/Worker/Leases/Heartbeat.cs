using LlmQueue.Storage.Loops;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Worker.Leases;

/// <summary>
/// The heartbeat that extends the lease of this worker. One statement every few seconds keeps all its claims; a worker that sends none
/// loses them.
/// </summary>
public sealed class Heartbeat(
    NpgsqlDataSource database, WorkerIdentity identity, WorkerOptions options, TimeProvider clock,
    ILogger<Heartbeat> logger) : BackgroundService
{
    private readonly Lock _lock = new();
    private DateTimeOffset _last = DateTimeOffset.MinValue;
    private DateTimeOffset _unbrokenSince = DateTimeOffset.MaxValue;

    /// <summary>Whose heartbeat it is.</summary>
    public Guid Worker => identity.Id;

    /// <summary>
    /// True when this worker has been able to beat for a whole lease: then so were the others, and one that did not is gone. While the
    /// database was away, or the machine asleep, nobody could; every heartbeat is old then, and no worker is to lose its calls for it.
    /// </summary>
    public bool IsSteady
    {
        get
        {
            var now = clock.GetUtcNow();
            lock (_lock)
                return IsHeard && now - _unbrokenSince >= options.WorkerGoneAfter;
        }
    }

    /// <summary>True while nobody can take this worker for gone: what it claims without a new heartbeat stays its own.</summary>
    public bool IsHeard
    {
        get
        {
            var now = clock.GetUtcNow();
            lock (_lock)
                return now - _last < options.WorkerGoneAfter / 2;
        }
    }

    /// <summary>One beat, and a second at once when the first did not get through.</summary>
    public async Task Beat(CancellationToken cancellationToken)
    {
        try
        {
            await TryBeat(cancellationToken);
        }
        catch (Exception e)
            when ((DatabaseFaults.IsPassing(e) || e is OperationCanceledException) && !cancellationToken.IsCancellationRequested)
        {
            // Connections break together. Those that lie idle in the pool would cost a beat each, and after five of them this worker
            // counted as gone while it lives.
            logger.LogDebug("No heartbeat on the connection at hand ({Reason}); the idle ones are left and it is tried on a new one.",
                e.Message);
            database.Clear();
            await TryBeat(cancellationToken);
        }
    }

    /// <summary>A worker that stops in good order says so; its claims need not wait for the lease.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        try
        {
            await using var command = database.CreateCommand("delete from workers where id = $1");
            command.Parameters.AddWithValue(identity.Id);
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
        catch (Exception e) when (DatabaseFaults.IsPassing(e) || e is OperationCanceledException or ObjectDisposedException)
        {
            logger.LogDebug("The worker could not sign off ({Reason}); its lease runs out by itself.", e.Message);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.WorkerGoneAfter / 5, clock);
        do
        {
            try
            {
                await Beat(stoppingToken);
            }
            catch (Exception e)
                when ((DatabaseFaults.IsPassing(e) || e is OperationCanceledException) && !stoppingToken.IsCancellationRequested)
            {
                logger.LogDebug("No heartbeat now: {Reason}", e.Message);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken).AsTask()
            .ContinueWith(t => t.IsCompletedSuccessfully && t.Result, TaskScheduler.Default));
    }

    private async Task TryBeat(CancellationToken cancellationToken)
    {
        // The database's clock alone is compared with itself: workers' clocks may differ.
        await using var command = database.CreateCommand("insert into workers (id, name, started_at, seen_at) values ($1, $2, now(), "
            + "now()) on conflict (id) do update set seen_at = now()");
        command.Parameters.AddWithValue(identity.Id);
        command.Parameters.AddWithValue(identity.Name);
        // One that hangs, on a connection that nobody answers any more, must not cost the lease: the next may get through on another.
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(options.WorkerGoneAfter / 3);
        await command.ExecuteNonQueryAsync(limit.Token);
        Note(clock.GetUtcNow());
    }

    /// <summary>The database has taken a beat.</summary>
    internal void Note(DateTimeOffset now)
    {
        lock (_lock)
        {
            if (now - _last > options.WorkerGoneAfter / 2)
                _unbrokenSince = now;
            _last = now;
        }
    }
}
