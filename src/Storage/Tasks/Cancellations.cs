using LlmQueue.Contracts;
using LlmQueue.Storage.Outbox;
using Npgsql;

namespace LlmQueue.Storage.Tasks;

/// <summary>
/// A wish to cancel is a row before it is a message: when a method returns, it is durable, and the bell that follows may be lost with its
/// broker. The Rescuer rings again for whoever has not ended, and takes the row away once it has.
/// </summary>
public sealed class Cancellations(NpgsqlDataSource database, CommandSender commandSender, TimeProvider clock)
{
    /// <summary>Longer than a broker that answers needs; the wish is safe without it.</summary>
    private static readonly TimeSpan LongestRinging = TimeSpan.FromMilliseconds(250);

    /// <summary>Wishes that are met go, the others are read: of a task, or of a summary.</summary>
    private const string Unmet = """
        with met as (delete from cancellations c where not exists (select 1 from tasks t where t.id = c.subject_id and t.ended_at is null)
                and not exists (select 1 from summaries s where s.id = c.subject_id and s.ended_at is null))
        select c.subject_id, t.id is not null from cancellations c
        left join tasks t on t.id = c.subject_id and t.ended_at is null left join summaries s on s.id = c.subject_id and s.ended_at is null
        where t.id is not null or s.id is not null order by c.asked_at limit 1000
        """;

    /// <summary>May be asked any number of times.</summary>
    public Task<Guid> Task(Guid id, CancellationToken cancellationToken) => Ask(id, new CancelTask(id), cancellationToken);

    public Task<Guid> Summary(Guid id, CancellationToken cancellationToken) => Ask(id, new CancelSummary(id), cancellationToken);

    /// <summary>The bells of all that were asked for and have not ended.</summary>
    public static async Task<IReadOnlyList<object>> Bells(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(Unmet, connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var bells = new List<object>();
        while (await reader.ReadAsync(cancellationToken))
            bells.Add(reader.GetBoolean(1) ? new CancelTask(reader.GetGuid(0)) : new CancelSummary(reader.GetGuid(0)));
        return bells;
    }

    private async Task<Guid> Ask(Guid subject, object bell, CancellationToken cancellationToken)
    {
        await using (var command = database.CreateCommand("insert into cancellations (subject_id) values ($1) on conflict do nothing"))
        {
            command.Parameters.AddWithValue(subject);
            await command.ExecuteNonQueryAsync(cancellationToken);
        }

        try
        {
            await commandSender.Send([bell], CancellationToken.None).WaitAsync(LongestRinging, clock, cancellationToken);
        }
        catch (TimeoutException)
        {
            // It goes on ringing; what it does not reach, the Rescuer does.
        }

        return subject;
    }
}
