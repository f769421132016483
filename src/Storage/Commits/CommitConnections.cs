using LlmQueue.Storage.Ledger;
using Npgsql;

namespace LlmQueue.Storage.Commits;

/// <summary>
/// Database connections for commits alone, with settings that suit statements which are few, prepared, always the same, and look up rows by
/// their keys. What an installation has set in its connection string's Options comes after these and prevails.
/// </summary>
public sealed class CommitConnections : IAsyncDisposable
{
    /// <summary>
    /// One plan is made for each statement, by the keys, and kept: planning anew for arrays of one's own size takes as long as running,
    /// and a plan made while a table was small must not read all of it when it has grown. Costs mean nothing then, so nothing is
    /// compiled for their sake.
    /// </summary>
    private const string OnePlan =
        "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off";

    private readonly NpgsqlDataSource _source;

    public CommitConnections(NpgsqlConnectionStringBuilder settings) =>
        _source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(settings.ConnectionString)
        {
            // Nobody else uses them, so there is nothing to reset.
            MinPoolSize = 0, MaxPoolSize = 1, NoResetOnClose = true,
            Options = string.Join(' ',
                [OnePlan, .. LimitLocks.FreesIfSilent.Select(frees => $"-c {frees.Key}={frees.Value}"), settings.Options ?? ""]),
        });

    public ValueTask<NpgsqlConnection> Open(CancellationToken cancellationToken) => _source.OpenConnectionAsync(cancellationToken);

    public ValueTask DisposeAsync() => _source.DisposeAsync();
}
