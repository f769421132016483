using Npgsql;

namespace LlmQueue.Storage.Batches;

/// <summary>
/// A lock that lets one process at a time work on a batch. It is an advisory lock of a database session: a process that dies gives it back
/// at once.
/// </summary>
public sealed class BatchLock(NpgsqlDataSource database)
{
    /// <summary>Held until disposed; null when another process holds it.</summary>
    public async Task<IAsyncDisposable?> Take(Guid batch, CancellationToken cancellationToken)
    {
        var connection = await database.OpenConnectionAsync(cancellationToken);
        try
        {
            var key = Key(batch);
            await using var command = new NpgsqlCommand("select pg_try_advisory_lock($1)", connection)
            {
                Parameters = { new NpgsqlParameter<long> { TypedValue = key } },
            };
            if ((bool)(await command.ExecuteScalarAsync(cancellationToken))!)
                return new Held(connection, key);
            await connection.DisposeAsync();
            return null;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    private static long Key(Guid batch) => BitConverter.ToInt64(batch.ToByteArray(), 8);

    private sealed class Held(NpgsqlConnection connection, long key) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await using var _ = connection;
            // A connection that is gone has given the lock back already.
            if (connection.State != System.Data.ConnectionState.Open)
                return;
            try
            {
                await using var command = new NpgsqlCommand("select pg_advisory_unlock($1)", connection)
                {
                    Parameters = { new NpgsqlParameter<long> { TypedValue = key } },
                };
                await command.ExecuteNonQueryAsync();
            }
            catch (NpgsqlException fault)
            {
                System.Diagnostics.Trace.WriteLine(fault.Message);
            }
        }
    }
}
