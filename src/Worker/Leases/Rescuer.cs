using LlmQueue.Storage.Outbox;
using LlmQueue.Storage.Summaries;
using LlmQueue.Worker.PageSummaries;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Worker.Leases;

/// <summary>
/// The rescuer: finds the rows that a crash, a lost message or a dead worker left behind and sends their command again. It changes no
/// state: a command only says "look at this row", so it can do no harm however often it runs, and wherever.
/// </summary>
public sealed class Rescuer(
    NpgsqlDataSource database, UnansweredRows unanswered, CommandSender commandSender, OutboxPublisher outbox, Heartbeat heartbeat,
    SummaryDeadlines deadlines, ILogger<Rescuer> logger)
{
    // A command that was sent this long ago and has not moved its row is sent again. Twice is harmless; too soon is only work.
    private static readonly TimeSpan AnsweredWithin = TimeSpan.FromSeconds(15);

    /// <param name="cancellationToken">Stops the sweep.</param>
    /// <param name="afterStart">True at the start of a host that is alone: every command of the former process is lost, and all its workers
    /// are gone.</param>
    public async Task<int> Sweep(bool afterStart, CancellationToken cancellationToken)
    {
        var commands = new List<object>();
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        if (afterStart)
        {
            // Never itself: what it has claimed meanwhile is being called.
            await using var forget =
                new NpgsqlCommand("delete from workers where id <> $1", connection) { Parameters = { new() { Value = heartbeat.Worker } } };
            await forget.ExecuteNonQueryAsync(cancellationToken);
        }

        commands.AddRange(await unanswered.Read(connection, afterStart || heartbeat.IsSteady,
            afterStart ? TimeSpan.Zero : AnsweredWithin, cancellationToken));
        await NoteDeadlines(connection, cancellationToken);
        if (commands.Count > 0)
        {
            logger.LogInformation("The rescuer sends commands for {Count} rows: {Kinds}", commands.Count,
                string.Join(", ", commands.GroupBy(c => c.GetType().Name).Select(g => $"{g.Count()} {g.Key}")));
            await commandSender.Send(commands, cancellationToken);
        }

        var published = afterStart ? 0 : await outbox.PublishLeftBehind(cancellationToken);
        return commands.Count + published;
    }

    /// <summary>Summaries with a deadline: whichever worker had noted it before, this one sends the command when it nears.</summary>
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
}
