using LlmQueue.Contracts;
using LlmQueue.Storage.Outbox;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.PageSummaries;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Worker.Leases;

/// <summary>
/// Finds what a crash, a lost message or a dead worker left behind and rings for it. It changes no state: it only says "look at this row",
/// so it can do no harm however often it runs, and wherever.
/// </summary>
public sealed class Rescuer(
    NpgsqlDataSource database, CommandSender commandSender, OutboxPublisher outbox, WorkerIdentity identity, Heartbeat heartbeat,
    SummaryDeadlines deadlines, WorkerOptions options, ILogger<Rescuer> logger)
{
    private const int MaxRings = 1000;

    // A bell that was rung this long ago and brought nothing about is rung again. Twice is harmless; too soon is only work.
    private static readonly TimeSpan Unanswered = TimeSpan.FromSeconds(15);

    /// <param name="cancellationToken">Stops the sweep.</param>
    /// <param name="afterStart">True at the start of a host that is alone: every bell of the former process is lost, and all its
    /// workers are gone.</param>
    public async Task<int> Sweep(bool afterStart, CancellationToken cancellationToken)
    {
        var unanswered = afterStart ? TimeSpan.Zero : Unanswered;
        var bells = new List<object>();
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        if (afterStart)
        {
            // Never itself: what it has claimed meanwhile is being called.
            await using var forget =
                new NpgsqlCommand("delete from workers where id <> $1", connection) { Parameters = { new() { Value = identity.Id } } };
            await forget.ExecuteNonQueryAsync(cancellationToken);
        }

        if (afterStart || heartbeat.IsSteady)
            bells.AddRange(await Read(connection, GoneWorkers, r => new LeaseExpired(r.GetGuid(0), r.GetInt32(1)), cancellationToken,
                options.WorkerGoneAfter, options.CallTimeout + options.CallTimeout + TimeSpan.FromMinutes(1)));
        bells.AddRange(await Read(connection, NeverClaimed, r => new LeaseExpired(r.GetGuid(0), r.GetInt32(1)) { IsUnclaimed = true },
            cancellationToken, options.CallTimeout + options.CallTimeout + TimeSpan.FromMinutes(1)));
        bells.AddRange(await Read(connection, UnclaimedCalls, r => new CallProvider(r.GetGuid(0), r.GetInt32(1), r.GetString(2)),
            cancellationToken, unanswered));
        bells.AddRange(await Read(connection, Unlooked, r => new StartTask(r.GetGuid(0)), cancellationToken, unanswered));
        bells.AddRange(await Read(connection, UnansweredGrants, r => new CapacityGranted(r.GetGuid(0), r.GetInt32(1) + 1),
            cancellationToken, unanswered));
        bells.AddRange(await Read(connection, PastDeadline, r => new DeadlinePassed(r.GetGuid(0)), cancellationToken));
        bells.AddRange(await Cancellations.Bells(connection, cancellationToken));
        bells.AddRange(await Read(connection, SettledStages, SummaryBell, cancellationToken, unanswered));
        await NoteDeadlines(connection, cancellationToken);
        if (bells.Count > 0)
        {
            logger.LogInformation("The Rescuer rings for {Count} rows: {Kinds}", bells.Count,
                string.Join(", ", bells.GroupBy(b => b.GetType().Name).Select(g => $"{g.Count()} {g.Key}")));
            await commandSender.Send(bells, cancellationToken);
        }

        var published = afterStart ? 0 : await outbox.PublishLeftBehind(cancellationToken);
        return bells.Count + published;
    }

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

    /// <summary>Summaries that somebody waits for: their bell rings at its moment, whoever had it in mind before.</summary>
    private async Task NoteDeadlines(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "select id, submitted_at, deadline, pages from summaries where ended_at is null and deadline is "
                + "not null order by deadline limit 1000",
            connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            deadlines.Note(new SummaryRow
            {
                CorrelationId = reader.GetGuid(0), SubmittedAt = reader.GetDateTime(1), Deadline = reader.GetDateTime(2),
                Pages = reader.GetInt32(3),
            });
    }

    private static object SummaryBell(NpgsqlDataReader row) =>
        row.GetString(2) == SummaryStates.Submitted ? new StartSummary(row.GetGuid(0)) : new StageSettled(row.GetGuid(0), row.GetInt32(1));

    private static async Task<List<object>> Read(
        NpgsqlConnection connection, string sql, Func<NpgsqlDataReader, object> bell, CancellationToken cancellationToken,
        params TimeSpan[] times)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        foreach (var time in times)
            command.Parameters.AddWithValue(time);
        var bells = new List<object>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (bells.Count < MaxRings && await reader.ReadAsync(cancellationToken))
            bells.Add(bell(reader));
        return bells;
    }
}
