using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;

namespace LlmQueue.Storage.Intake;

/// <summary>
/// A new task, whichever way it came (bus, HTTP, batch, summary, retry): its row, its prompt and the first entry of its history. The only
/// place that says what a new task consists of.
/// </summary>
/// <param name="Row">The task's row.</param>
/// <param name="Content">Its prompt, or the error it ends with; null for a task that ends at once and has neither.</param>
/// <param name="Entry">The first entry of its history.</param>
public sealed record SubmittedTask(TaskRow Row, PayloadRow? Content, HistoryRow Entry)
{
    /// <summary>The row of a task that is written nowhere yet, with what every task has.</summary>
    public static TaskRow NewRow(Guid id, string tenant, DateTime now) =>
        new() { CorrelationId = id, Tenant = tenant, SubmittedAt = now, UpdatedAt = now, CommandSentAt = now };

    public static SubmittedTask Create(TaskRow row, string prompt, DateTime now) =>
        new(row, new PayloadRow { SubjectId = row.CorrelationId, Part = PayloadRow.Prompt, Content = prompt },
            FirstEntry(row, TaskStates.Submitted, now));

    /// <summary>A task that can never run and ends as it is created: it is counted and listed like any other.</summary>
    /// <param name="row">The task's row.</param>
    /// <param name="reason">Why it cannot run.</param>
    /// <param name="error">What its answer's place is taken by, as JSON; null when nothing is.</param>
    /// <param name="now">The present.</param>
    public static SubmittedTask CreateRejected(TaskRow row, string? reason, string? error, DateTime now)
    {
        (row.EndedAt, row.FailureReason) = (now, reason);
        var content = error is null ? null : new PayloadRow { SubjectId = row.CorrelationId, Part = PayloadRow.Error, Content = error };
        return new SubmittedTask(row, content, FirstEntry(row, TaskStates.Rejected, now));
    }

    /// <summary>The row as it is inserted by those who write it without the state machine, which gives state and version itself.</summary>
    public TaskRow RowToInsert()
    {
        (Row.State, Row.Version) = (Entry.State, 1);
        return Row;
    }

    /// <summary>Adds the whole task to a commit, with the message that starts it.</summary>
    public void AddTo(UnitOfWork transition)
    {
        transition.Created.Add(RowToInsert());
        AddRecordsTo(transition);
        if (Row.EndedAt is null)
            transition.Send(new StartTask(Row.CorrelationId));
    }

    /// <summary>Adds what the task has beside its row: the state machine writes the row and gives the entry its version.</summary>
    public void AddRecordsTo(UnitOfWork transition)
    {
        if (Content is not null)
            transition.Payloads.Add(Content);
        transition.History.Add(Entry);
    }

    /// <summary>Always version 1 and place 0: a task that is handed in twice at once has one first entry.</summary>
    private static HistoryRow FirstEntry(TaskRow row, string state, DateTime now) =>
        new()
        {
            SubjectId = row.CorrelationId, Version = 1, Ordinal = 0, At = now, Entry = state, State = state, Reason = row.FailureReason,
        };
}
