using System.Net.Sockets;
using Npgsql;

namespace LlmQueue.Storage.Commits;

/// <summary>Which faults of the database pass by themselves.</summary>
public static class DatabaseFaults
{
    /// <summary>True for a lost or refused connection, a restart, a deadlock, an exhausted pool: the same statement may succeed later.</summary>
    public static bool IsPassing(Exception exception) => exception switch
    {
        // We took the question back ourselves.
        OperationCanceledException { InnerException: PostgresException { SqlState: PostgresErrorCodes.QueryCanceled } } => false,
        // 57P01-57P03: shutting down, starting up; 53xxx: out of connections, memory or disk; 25006: read-only while it recovers; 25P03: it did not hear from us in the middle of a transaction; 57014: nor of the rest of a statement, or waited too long for somebody else.
        PostgresException postgres => postgres.IsTransient || postgres.SqlState is ['5', '7', 'P', ..] or ['5', '3', ..] or "40001" or "40P01" or "25006" or "25P03" or "57014" or "08006",
        NpgsqlException or SocketException or TimeoutException or EndOfStreamException => true,
        ObjectDisposedException => false,
        InvalidOperationException { InnerException: { } inner } => IsPassing(inner),
        _ => exception.InnerException is { } cause && IsPassing(cause),
    };
}
