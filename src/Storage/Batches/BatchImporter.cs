using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Tables;
using LlmQueue.Storage.Tasks;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace LlmQueue.Storage.Batches;

/// <summary>
/// A line as a task, or as one that is refused before it could run: then <paramref name="Error"/> is OpenAI's error object as JSON.
/// </summary>
public sealed record ImportedLine(AcceptedTask Task, string? Error);

/// <summary>
/// Imports a batch's lines as tasks, thousands a transaction, by COPY. The batch's position in its file moves in the same transaction:
/// after a crash the next line is the one that has no task yet. It sends no command for these tasks: <see cref="BatchFeeder"/> starts them
/// in portions, once the batch is in progress.
/// </summary>
public sealed class BatchImporter(NpgsqlDataSource database, StoreTables tables, IDbContextFactory<QueueDb> contexts, TimeProvider clock)
{
    public const int LinesTogether = 2_000;

    /// <summary>False when the batch is not being validated any more: somebody has canceled it, and nothing was written.</summary>
    public async Task<bool> Write(
        BatchRow batch, IReadOnlyList<(int Line, string CustomId, ImportedLine Expanded)> lines, long position, int lastLine,
        CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var (tasks, payloads, history) = (new List<TaskRow>(lines.Count), new List<PayloadRow>(lines.Count),
            new List<HistoryRow>(lines.Count));
        foreach (var (number, customId, line) in lines)
        {
            var row = line.Task.Row;
            (row.BatchId, row.BatchLine, row.CustomId) = (batch.Id, number, customId);
            (row.Deadline, row.CommandSentAt) = (batch.ExpiresAt, TaskRow.NeverSent);
            var task = line.Error is { } error
                ? SubmittedTask.CreateRejected(row, line.Task.Refusal, error, now)
                : SubmittedTask.Create(row, line.Task.Prompt, now);
            tasks.Add(task.RowToInsert());
            payloads.Add(task.Content!);
            history.Add(task.Entry);
        }

        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using var advance = new NpgsqlCommand(
            "update batches set position = $2, lines = $3, total = total + $4 where id = $1 and status = 'validating' and position <= $2",
            connection, transaction)
        {
            Parameters =
            {
                new NpgsqlParameter<Guid> { TypedValue = batch.Id }, new NpgsqlParameter<long> { TypedValue = position },
                new NpgsqlParameter<int> { TypedValue = lastLine }, new NpgsqlParameter<int> { TypedValue = tasks.Count },
            },
        };
        if (await advance.ExecuteNonQueryAsync(cancellationToken) == 0)
            return false;
        await tables.Copy(connection, tasks, payloads, history, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    /// <summary>The names of the lines that are tasks already: a crash forgets what was only remembered.</summary>
    public async Task<IReadOnlyList<string>> Names(Guid batch, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await db.Tasks.Where(t => t.BatchId == batch).Select(t => t.CustomId!).ToListAsync(cancellationToken);
    }

    /// <summary>Deletes the tasks of a batch whose file turned out to be wrong: none has run.</summary>
    public async Task TakeBack(Guid batch, CancellationToken cancellationToken)
    {
        int gone;
        do
        {
            await using var command = database.CreateCommand($"""
                with gone as (delete from tasks where id in (select id from tasks where batch_id = $1 limit {LinesTogether}) returning id),
                     h as (delete from history where subject_id in (select id from gone)),
                     p as (delete from payloads where subject_id in (select id from gone))
                select count(*)::int from gone
                """);
            command.Parameters.AddWithValue(batch);
            gone = (int)(await command.ExecuteScalarAsync(cancellationToken))!;
        }
        while (gone == LinesTogether);
    }
}
