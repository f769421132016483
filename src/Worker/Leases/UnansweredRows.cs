using LlmQueue.Contracts;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using Npgsql;

namespace LlmQueue.Worker.Leases;

/// <summary>
/// Rows whose command was lost, or whose worker is gone, and the command that each is sent again. Where a second command would be work
/// for nothing, reading the row notes the time as well, so that another sweep waits as long as an answer may take.
/// </summary>
public sealed class UnansweredRows(WorkerOptions options)
{
    private const int MaxRings = 1000;

    /// <summary>Claimed by a worker that is no more, or open longer than any call may take.</summary>
    private const string GoneWorkers = $"""
        select a.task_id, a.number from attempts a join tasks t on t.id = a.task_id and t.attempt = a.number and t.state in ({TaskStates.Called})
        where a.ended_at is null and a.worker is not null
          and (not exists (select 1 from workers w where w.id = a.worker and w.seen_at > now() - $1) or a.started_at < now() - $2)
        limit 1000
        """;

    /// <summary>
    /// Nobody has taken the call in all this time: no worker has a key of its provider any more, or the catalogue has dropped its model.
    /// The task moves on; nothing was sent and nothing is charged.
    /// </summary>
    private const string NeverClaimed = $"""
        select a.task_id, a.number from attempts a join tasks t on t.id = a.task_id and t.attempt = a.number and t.state in ({TaskStates.Called})
        where a.ended_at is null and a.worker is null and t.packed_with is null and a.created_at < now() - $1
        limit 1000
        """;

    private const string UnclaimedCalls = $"""
        update tasks t set rung_at = now() where t.id in (
            select t.id from tasks t join attempts a on a.task_id = t.id and a.number = t.attempt
            where t.state in ({TaskStates.Called}) and t.rung_at <= now() - $1 and a.worker is null and a.ended_at is null
            order by t.rung_at limit 1000 for update of t skip locked)
        returning t.id, t.attempt, split_part(t.model, ':', 1)
        """;

    private const string Unlooked = """
        update tasks t set rung_at = now() where t.id in (
            select id from tasks where state = 'Submitted' and rung_at <= now() - $1 order by rung_at limit 1000 for update skip locked)
        returning t.id
        """;

    private const string UnansweredGrants = """
        update tasks t set rung_at = now() where t.id in (
            select id from tasks where state = 'WaitingForCapacity' and granted_at is not null and greatest(rung_at, granted_at) <= now() - $1 order by rung_at limit 1000 for update skip locked)
        returning t.id, t.attempt
        """;

    private const string PastDeadline =
        $"select id from tasks where deadline < now() and ended_at is null and state not in ({TaskStates.CalledForTheFirst}) limit 1000";

    private const string SettledStages = """
        update summaries s set rung_at = now() where s.id in (
            select id from summaries where ended_at is null and (open_tasks = 0 or state = 'Submitted') and rung_at <= now() - $1 order by rung_at limit 1000 for update skip locked)
        returning s.id, s.stage, s.state
        """;

    /// <param name="connection">An open connection.</param>
    /// <param name="goneWorkersAreKnown">False while the heartbeats of others may be old for another reason than their end.</param>
    /// <param name="unanswered">How long ago a command was sent that counts as lost.</param>
    /// <param name="cancellationToken">Stops it.</param>
    internal async Task<List<object>> Read(
        NpgsqlConnection connection, bool goneWorkersAreKnown, TimeSpan unanswered, CancellationToken cancellationToken)
    {
        var commands = new List<object>();
        if (goneWorkersAreKnown)
            commands.AddRange(await Read(connection, GoneWorkers, r => new LeaseExpired(r.GetGuid(0), r.GetInt32(1)), cancellationToken,
                options.WorkerGoneAfter, options.CallTimeout + options.CallTimeout + TimeSpan.FromMinutes(1)));
        commands.AddRange(await Read(connection, NeverClaimed, r => new LeaseExpired(r.GetGuid(0), r.GetInt32(1)) { IsUnclaimed = true },
            cancellationToken, options.CallTimeout + options.CallTimeout + TimeSpan.FromMinutes(1)));
        commands.AddRange(await Read(connection, UnclaimedCalls, r => new CallProvider(r.GetGuid(0), r.GetInt32(1), r.GetString(2)),
            cancellationToken, unanswered));
        commands.AddRange(await Read(connection, Unlooked, r => new StartTask(r.GetGuid(0)), cancellationToken, unanswered));
        commands.AddRange(await Read(connection, UnansweredGrants, r => new CapacityGranted(r.GetGuid(0), r.GetInt32(1) + 1),
            cancellationToken, unanswered));
        commands.AddRange(await Read(connection, PastDeadline, r => new DeadlinePassed(r.GetGuid(0)), cancellationToken));
        commands.AddRange(await Cancellations.Commands(connection, cancellationToken));
        commands.AddRange(await Read(connection, SettledStages, SummaryCommand, cancellationToken, unanswered));
        return commands;
    }

    private static object SummaryCommand(NpgsqlDataReader row) =>
        row.GetString(2) == SummaryStates.Submitted ? new StartSummary(row.GetGuid(0)) : new StageSettled(row.GetGuid(0), row.GetInt32(1));

    private static async Task<List<object>> Read(
        NpgsqlConnection connection, string sql, Func<NpgsqlDataReader, object> commandOf, CancellationToken cancellationToken,
        params TimeSpan[] times)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        foreach (var time in times)
            command.Parameters.AddWithValue(time);
        var commands = new List<object>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (commands.Count < MaxRings && await reader.ReadAsync(cancellationToken))
            commands.Add(commandOf(reader));
        return commands;
    }
}
