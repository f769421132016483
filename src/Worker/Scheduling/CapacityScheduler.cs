using LlmQueue.Storage;
using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Outbox;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Worker.Scheduling;

/// <summary>
/// Opens lines. One Pacer leads among all workers (an advisory lock that dies with its connection). It sleeps until the next opening
/// it knows of, or until the bell of a line rings; then it books just as many tasks as fit and rings for those alone. Nobody else
/// wakes and nobody polls.
/// </summary>
public sealed class CapacityScheduler(
    NpgsqlDataSource database, SchedulingCycle round, BatchFeeder feed, LineBell lineBell, CommandSender commandSender,
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

    // A bell can be lost with its connection; then this sweep finds the line.
    private static readonly TimeSpan LongestSleep = TimeSpan.FromSeconds(5);
    private readonly Signal _work = new();
    private volatile bool _leads;

    /// <summary>
    /// True while no other worker's Pacer leads: what one worker of all is to do is done here, without another lock. A dead worker's
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
                if (e is UnheardException)
                    logger.LogWarning("The broker does not hear the Pacer; it steps down, so that another worker may lead.");
                else if (DatabaseFaults.IsPassing(e))
                    logger.LogInformation("The Pacer cannot go on ({Reason}) and seeks to lead again.", e.Message);
                else
                    logger.LogError(e, "A round of the Pacer failed; it begins again.");
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
    /// First of all: room that is booked while the bus stops is booked for somebody who is not told. Another worker leads meanwhile.
    /// </summary>
    public Task StoppingAsync(CancellationToken cancellationToken) => StopAsync(cancellationToken);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task Lead(CancellationToken cancellationToken)
    {
        // Outside the pool: this one connection waits for the lock, holds it and hears the bell for as long as it lives.
        var settings = new NpgsqlConnectionStringBuilder(database.ConnectionString)
        {
            Pooling = false, CommandTimeout = 0, ApplicationName = "LlmQueue Pacer", KeepAlive = 5,
        };
        await using var connection = await OpenWithPassword(settings, cancellationToken);
        await using (var wait = new NpgsqlCommand($"{LosesIfSilent}; select pg_advisory_lock({Leadership}); listen {LineBell.Channel}",
            connection))
            await wait.ExecuteNonQueryAsync(cancellationToken);
        logger.LogInformation("This worker's Pacer leads.");
        connection.Notification += (_, _) => _work.Set();
        lineBell.Here = _work;
        _leads = true;
        using var lost = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var hearing = Hear(connection, lost);
        try
        {
            while (true)
            {
                lost.Token.ThrowIfCancellationRequested();
                var began = clock.GetUtcNow().UtcDateTime;
                var result = await round.Run(lost.Token);
                await RingOrStepDown(result.Bells, lost.Token);
                var (fed, lookAgain) = await feed.Feed(lost.Token);
                await RingOrStepDown(fed, lost.Token);
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
            lineBell.Here = null;
            await lost.CancelAsync();
            await hearing;
        }
    }

    /// <summary>
    /// Who has the database and not the broker would book room and tell nobody, for as long as it leads: another may be better off.
    /// </summary>
    private async Task RingOrStepDown(IReadOnlyCollection<object> bells, CancellationToken cancellationToken)
    {
        if (!await commandSender.Send(bells, cancellationToken))
            throw new UnheardException();
    }

    private async Task<NpgsqlConnection> OpenWithPassword(NpgsqlConnectionStringBuilder settings, CancellationToken cancellationToken)
    {
        // The data source hides its password; a connection of its own takes everything else from it.
        await using var pooled = await database.OpenConnectionAsync(cancellationToken);
        var connection = pooled.CloneWith(settings.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        return connection;
    }

    /// <summary>At least a tick, so that openings a moment apart share a round; at most until the next opening.</summary>
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
            // The Pacer stops.
        }
        catch (Exception e) when (DatabaseFaults.IsPassing(e) || e is InvalidOperationException or ObjectDisposedException)
        {
            await lost.CancelAsync();
        }
    }

    private sealed class UnheardException() : Exception("The broker did not take the bells.");
}
