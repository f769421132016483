using LlmQueue.Contracts;
using LlmQueue.Storage.Outbox;
using Npgsql;

namespace LlmQueue.Storage.Tasks;

/// <summary>
/// Requests for cancellation. Each is a row before it is a message: when a method returns, it is durable, and the command that follows may
/// be lost with its broker. The rescuer sends it again while the task or summary has not ended, and deletes the row once it has.
/// </summary>
public sealed class Cancellations(NpgsqlDataSource database, CommandSender commandSender, TimeProvider clock)
{
    /// <summary>Longer than a broker that answers needs; the request is durable without it.</summary>
    private static readonly TimeSpan LongestSend = TimeSpan.FromMilliseconds(250);

    /// <summary>Deletes the requests whose subject has ended and reads the others: of a task, or of a summary.</summary>
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

    /// <summary>The commands for everything that is to be canceled and has not ended.</summary>
    public static async Task<IReadOnlyList<object>> Commands(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(Unmet, connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var commands = new List<object>();
        while (await reader.ReadAsync(cancellationToken))
            commands.Add(reader.GetBoolean(1) ? new CancelTask(reader.GetGuid(0)) : new CancelSummary(reader.GetGuid(0)));
        return commands;
    }

    private async Task<Guid> Ask(Guid subject, object command, CancellationToken cancellationToken)
    {
        await using (var insert = database.CreateCommand("insert into cancellations (subject_id) values ($1) on conflict do nothing"))
        {
            insert.Parameters.AddWithValue(subject);
            await insert.ExecuteNonQueryAsync(cancellationToken);
        }

        try
        {
            await commandSender.Send([command], CancellationToken.None).WaitAsync(LongestSend, clock, cancellationToken);
        }
        catch (TimeoutException)
        {
            // The send goes on; a command that does not arrive is sent again by the rescuer.
        }

        return subject;
    }
}
