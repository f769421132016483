using Npgsql;

namespace LlmQueue.Storage.Intake;

/// <summary>
/// The store of Idempotency-Keys: what request each was used for. A key is written before the work it names, so of two requests that come
/// at once with one key and two bodies one is refused; a crash between the two leaves a key that waits for its body to come again. Kept as
/// long as ended tasks are.
/// </summary>
public sealed class RequestKeys(NpgsqlDataSource database)
{
    /// <summary>True when the key is new, or belongs to this very request; false when another body stands behind it.</summary>
    public async Task<bool> Holds(Guid key, string fingerprint, CancellationToken cancellationToken)
    {
        // An update that changes nothing, for the sake of its answer: it sees the row that a request beside this one has just written.
        await using var command = database.CreateCommand("insert into request_keys (id, fingerprint, at) values ($1, $2, now()) "
            + "on conflict (id) do update set at = request_keys.at returning fingerprint = $2");
        command.Parameters.AddWithValue(key);
        command.Parameters.AddWithValue(fingerprint);
        return (bool)(await command.ExecuteScalarAsync(cancellationToken))!;
    }
}
