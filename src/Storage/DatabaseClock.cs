using LlmQueue.Storage.Loops;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Storage;

/// <summary>
/// The common clock of all processes: the database's time, continued between two queries by this machine's monotonic count, which no
/// correction of its clock touches. With a clock of its own, a worker whose clock is an hour ahead would fill every bucket by an hour's
/// worth, and date it so that no other clock fills it again for as long. Until the first query it is the machine's.
/// </summary>
public sealed class DatabaseClock : TimeProvider
{
    /// <summary>Below this a difference may be the journey's, and the machine's count is steadier than that.</summary>
    private static readonly TimeSpan Steady = TimeSpan.FromMilliseconds(5);

    private volatile Anchor? _anchor;

    public override DateTimeOffset GetUtcNow() => _anchor is { } anchor ? anchor.At + GetElapsedTime(anchor.Timestamp) : System.GetUtcNow();

    /// <summary>Takes what the database said its time was.</summary>
    /// <param name="time">Somewhere between question and answer.</param>
    /// <param name="asked">This clock's timestamp at the question.</param>
    /// <param name="answered">And at the answer.</param>
    /// <returns>By how much this clock was moved; null when it was right as far as anybody can tell.</returns>
    public TimeSpan? Hear(DateTimeOffset time, long asked, long answered)
    {
        var half = GetElapsedTime(asked, answered) / 2;
        var wrong = time + half + GetElapsedTime(answered) - GetUtcNow();
        if (_anchor is not null && wrong.Duration() <= half + Steady)
            return null;
        _anchor = new Anchor(time + half, answered);
        return wrong;
    }

    private sealed record Anchor(DateTimeOffset At, long Timestamp);
}

/// <summary>Asks the database for its time every few seconds: one small statement a process.</summary>
public sealed class ClockWatch(NpgsqlDataSource database, TimeProvider clock, ILogger<ClockWatch> logger) : BackgroundService
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan WorthSaying = TimeSpan.FromSeconds(1);

    /// <summary>Looks once; call it before anything is dated. Where a test has put a clock of its own, that one stays.</summary>
    public async Task Look(CancellationToken cancellationToken)
    {
        if (clock is not DatabaseClock ours)
            return;
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var command = new NpgsqlCommand("select clock_timestamp()", connection);
        var asked = ours.GetTimestamp();
        var time = (DateTime)(await command.ExecuteScalarAsync(cancellationToken))!;
        if (ours.Hear(new DateTimeOffset(time, TimeSpan.Zero), asked, ours.GetTimestamp()) is { } moved && moved.Duration() > WorthSaying)
            logger.LogWarning(
                "The database's clock and this process's differ by {Seconds:0.0} s; "
                    + "the database's counts. Set the machines' clocks by NTP.",
                moved.TotalSeconds);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(LookEvery, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                try
                {
                    await Look(stoppingToken);
                }
                catch (Exception e) when (DatabaseFaults.IsPassing(e))
                {
                    logger.LogDebug("The database does not tell its time now ({Reason}); the count since goes on.", e.Message);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            logger.LogDebug("The clock is not looked at any more.");
        }
    }
}
