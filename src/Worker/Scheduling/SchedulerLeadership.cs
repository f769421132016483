using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Loops;
using Npgsql;

namespace LlmQueue.Worker.Scheduling;

/// <summary>
/// Leader election among the schedulers of all workers: an advisory lock on a connection of its own, which also hears the signal. The
/// leadership ends with the connection.
/// </summary>
public sealed class SchedulerLeadership(NpgsqlDataSource database, CapacitySignal capacitySignal)
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

    /// <summary>Waits until this worker leads, for as long as that takes.</summary>
    /// <param name="work">Set whenever a wait queue has to be looked at, for as long as this worker leads.</param>
    /// <param name="cancellationToken">Stops the wait, and the term with it.</param>
    internal async Task<Term> Win(Signal work, CancellationToken cancellationToken)
    {
        // Outside the pool: this one connection waits for the lock, holds it and listens for wake-ups for as long as it lives.
        var settings = new NpgsqlConnectionStringBuilder(database.ConnectionString)
        {
            Pooling = false, CommandTimeout = 0, ApplicationName = "LlmQueue Pacer", KeepAlive = 5,
        };
        var connection = await OpenWithPassword(settings, cancellationToken);
        try
        {
            await using (var wait = new NpgsqlCommand(
                $"{LosesIfSilent}; select pg_advisory_lock({Leadership}); listen {CapacitySignal.Channel}",
                connection))
                await wait.ExecuteNonQueryAsync(cancellationToken);
            connection.Notification += (_, _) => work.Set();
            capacitySignal.Here = work;
            return new Term(connection, capacitySignal, cancellationToken);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    private async Task<NpgsqlConnection> OpenWithPassword(NpgsqlConnectionStringBuilder settings, CancellationToken cancellationToken)
    {
        // The data source hides its password; a connection of its own takes everything else from it.
        await using var pooled = await database.OpenConnectionAsync(cancellationToken);
        var connection = pooled.CloneWith(settings.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        return connection;
    }

    /// <summary>One leadership, from the lock to its loss.</summary>
    internal sealed class Term : IAsyncDisposable
    {
        private readonly NpgsqlConnection _connection;
        private readonly CapacitySignal _lineBell;
        private readonly CancellationTokenSource _lost;
        private readonly Task _hearing;

        internal Term(NpgsqlConnection connection, CapacitySignal capacitySignal, CancellationToken cancellationToken)
        {
            (_connection, _lineBell) = (connection, capacitySignal);
            _lost = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            _hearing = Hear(connection, _lost);
        }

        /// <summary>Canceled when the connection is gone, and another worker may lead, or when this worker stops.</summary>
        public CancellationToken Lost => _lost.Token;

        public async ValueTask DisposeAsync()
        {
            _lineBell.Here = null;
            await _lost.CancelAsync();
            await _hearing;
            _lost.Dispose();
            await _connection.DisposeAsync();
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
    }
}

/// <summary>The connection that held the leadership is gone.</summary>
internal sealed class LeadershipLostException(Exception cause) : Exception("the connection that held the leadership is gone", cause);
