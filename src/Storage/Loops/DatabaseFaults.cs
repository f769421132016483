using System.Net.Sockets;
using Npgsql;

namespace LlmQueue.Storage.Loops;

/// <summary>Classifies faults of the database: a transient one is worth another try.</summary>
public static class DatabaseFaults
{
    /// <summary>
    /// True for a lost or refused connection, a restart, a deadlock, an exhausted pool: the same statement may succeed later.
    /// </summary>
    public static bool IsPassing(Exception exception) => exception switch
    {
        // Canceled by this process itself, with a token.
        OperationCanceledException { InnerException: PostgresException { SqlState: PostgresErrorCodes.QueryCanceled } } => false,
        // Codes as in https://www.postgresql.org/docs/current/errcodes-appendix.html. 57Pxx: shutting down or starting up. 53xxx: out of
        // connections, memory or disk. 40001, 40P01: serialization failure, deadlock. 25006: read-only while it recovers. 25P03: idle in a
        // transaction for longer than its timeout allows. 57014: a statement took longer than its timeout allows, or its end never arrived.
        // 08006: the connection failed.
        PostgresException postgres => postgres.IsTransient
            || postgres.SqlState is ['5', '7', 'P', ..] or ['5', '3', ..] or "40001" or "40P01" or "25006" or "25P03" or "57014" or "08006",
        NpgsqlException or SocketException or TimeoutException or EndOfStreamException => true,
        ObjectDisposedException => false,
        InvalidOperationException { InnerException: { } inner } => IsPassing(inner),
        _ => exception.InnerException is { } cause && IsPassing(cause),
    };
}
