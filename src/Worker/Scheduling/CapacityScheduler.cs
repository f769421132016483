using LlmQueue.Storage;
using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Outbox;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Worker.Scheduling;

/// <summary>
/// The capacity scheduler: grants capacity to waiting tasks. One scheduler leads among all workers (an advisory lock that dies with its
/// connection). It sleeps until the next opening it knows of, or until it is woken; then it books just as many tasks as fit and sends a
/// command to those alone. No other task wakes and nobody polls.
/// </summary>
public sealed class CapacityScheduler(
    NpgsqlDataSource database, SchedulingCycle cycle, BatchFeeder feed, CapacitySignal capacitySignal, CommandSender commandSender,
    WorkerOptions options, TimeProvider clock, ILogger<CapacityScheduler> logger) : BackgroundService, IHostedLifecycleService
{
    /// <summary>Any number will do as long as every worker uses the same.</summary>
    private const long Leadership = 7_255_142_002;

    /// <summary>
    /// A leader whose machine is lost, or whose network is cut, must not lead for the hours that TCP gives it: the connection asks every
    /// five seconds, and a server that has not heard of it for twelve ends it, also where a proxy between them still answers. Asked by
    /// name, as older servers do not know them all.
    /// </summary>
    private const string LosesIfSilent = """
        select set_config(s.name, u.value, false) from (values ('idle_session_timeout', '12000'), ('tcp_keepalives_idle', '5'), ('tcp_keepalives_interval', '2'), ('tcp_keepalives_count', '3'), ('tcp_user_timeout', '12000')) u(name, value)
        join pg_settings s on s.name = u.name and s.context = 'user'
        """;

    // A wake-up can be lost with its connection; then this sweep finds the waiting tasks.
    private static readonly TimeSpan LongestSleep = TimeSpan.FromSeconds(5);
    private readonly Signal _work = new();
    private volatile bool _leads;

    /// <summary>
    /// True while this worker's scheduler leads: what one worker of all has to do is done here, without another lock. A dead worker's
    /// leadership ends with its connection.
    /// </summary>
    public bool Leads => _leads;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await Lead(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                if (e is NotTakenException)
                    logger.LogWarning("The broker does not take commands; this capacity scheduler steps down, so that another worker may lead.");
                else if (DatabaseFaults.IsPassing(e))
                    logger.LogInformation("The capacity scheduler cannot go on ({Reason}) and tries to lead again.", e.Message);
                else
                    logger.LogError(e, "A scheduling cycle failed; it begins again.");
                try
                {
                    await Task.Delay(TimeSpan.FromSeconds(1), clock, stoppingToken);
                }
                catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
                {
                    return;
                }
            }
        }
    }

    /// <summary>
    /// Stops first of all: capacity that is booked while the bus stops is booked for a task that gets no command. Another worker leads
    /// meanwhile.
    /// </summary>
    public Task StoppingAsync(CancellationToken cancellationToken) => StopAsync(cancellationToken);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task Lead(CancellationToken cancellationToken)
    {
        // Outside the pool: this one connection waits for the lock, holds it and listens for wake-ups for as long as it lives.
        var settings = new NpgsqlConnectionStringBuilder(database.ConnectionString)
        {
            Pooling = false, CommandTimeout = 0, ApplicationName = "LlmQueue Pacer", KeepAlive = 5,
        };
        await using var connection = await OpenWithPassword(settings, cancellationToken);
        await using (var wait = new NpgsqlCommand($"{LosesIfSilent}; select pg_advisory_lock({Leadership}); listen {CapacitySignal.Channel}",
            connection))
            await wait.ExecuteNonQueryAsync(cancellationToken);
        logger.LogInformation("This worker's capacity scheduler leads.");
        connection.Notification += (_, _) => _work.Set();
        capacitySignal.Here = _work;
        _leads = true;
        using var lost = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var hearing = Hear(connection, lost);
        try
        {
            while (true)
            {
                lost.Token.ThrowIfCancellationRequested();
                var began = clock.GetUtcNow().UtcDateTime;
                var result = await cycle.Run(lost.Token);
                await SendOrStepDown(result.Commands, lost.Token);
                var (fed, lookAgain) = await feed.Feed(lost.Token);
                await SendOrStepDown(fed, lost.Token);
                await Sleep(began, result.NextOpening is { } opening && (lookAgain is null || opening < lookAgain) ? opening : lookAgain,
                    lost.Token);
            }
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new NpgsqlException("the connection that held the leadership is gone", e);
        }
        finally
        {
            _leads = false;
            capacitySignal.Here = null;
            await lost.CancelAsync();
            await hearing;
        }
    }

    /// <summary>
    /// A leader that has the database and not the broker would book capacity and tell no task, for as long as it leads; another worker may
    /// reach the broker.
    /// </summary>
    private async Task SendOrStepDown(IReadOnlyCollection<object> commands, CancellationToken cancellationToken)
    {
        if (!await commandSender.Send(commands, cancellationToken))
            throw new NotTakenException();
    }

    private async Task<NpgsqlConnection> OpenWithPassword(NpgsqlConnectionStringBuilder settings, CancellationToken cancellationToken)
    {
        // The data source hides its password; a connection of its own takes everything else from it.
        await using var pooled = await database.OpenConnectionAsync(cancellationToken);
        var connection = pooled.CloneWith(settings.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        return connection;
    }

    /// <summary>Waits at least a tick, so that openings a moment apart share a cycle; at most until the next opening.</summary>
    private async Task Sleep(DateTime began, DateTime? nextOpening, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var until = nextOpening is { } opening && opening - now < LongestSleep ? opening : now + LongestSleep;
        if (until - now > TimeSpan.Zero)
            await _work.Wait(until - now, cancellationToken);
        var rest = began + options.Tick - clock.GetUtcNow().UtcDateTime;
        if (rest > TimeSpan.Zero)
            await Task.Delay(rest, clock, cancellationToken);
    }

    private static async Task Hear(NpgsqlConnection connection, CancellationTokenSource lost)
    {
        try
        {
            while (true)
                await connection.WaitAsync(lost.Token);
        }
        catch (Exception) when (lost.IsCancellationRequested)
        {
            // The scheduler stops.
        }
        catch (Exception e) when (DatabaseFaults.IsPassing(e) || e is InvalidOperationException or ObjectDisposedException)
        {
            await lost.CancelAsync();
        }
    }

    private sealed class NotTakenException() : Exception("The broker did not take the commands.");
}
