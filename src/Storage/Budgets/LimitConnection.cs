using Npgsql;

namespace LlmQueue.Storage.Budgets;

/// <summary>
/// One connection for the question whether limits have changed, outside the common pool: it is asked for as long as the process lives, and
/// must neither keep a place from the work nor wait for one.
/// </summary>
public sealed class LimitConnection : IAsyncDisposable
{
    private readonly NpgsqlDataSource _source;

    public LimitConnection(NpgsqlConnectionStringBuilder settings) =>
        _source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(settings.ConnectionString)
        {
            // Nobody else uses it, so there is nothing to reset.
            MinPoolSize = 0, MaxPoolSize = 1, NoResetOnClose = true,
        });

    public ValueTask<NpgsqlConnection> Open(CancellationToken cancellationToken) => _source.OpenConnectionAsync(cancellationToken);

    public ValueTask DisposeAsync() => _source.DisposeAsync();
}
