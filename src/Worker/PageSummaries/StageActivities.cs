using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Storage;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.UnitsOfWork;
using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Worker.PageSummaries;

/// <summary>Activities for the stages of a summary: opens their tasks, and cancels those that are of no use any more.</summary>
public sealed class StageActivities(SummaryDeadlines deadlines, IDbContextFactory<QueueDb> contexts)
{
    /// <summary>Writes the stage's tasks in the same commit that opens it, and sends the command that starts each.</summary>
    public void Open(BehaviorContext<SummaryRow> context)
    {
        var transition = SummaryTransition.Of(context);
        var (summary, work, step) = (transition.Summary, transition.Work, transition.Next!);
        summary.Stage++;
        foreach (var (row, messages) in step.Tasks)
        {
            var task = row.EndedAt is null
                ? SubmittedTask.Create(row, JsonSerializer.Serialize(messages, StoredJson.Options), work.Now)
                : SubmittedTask.CreateRejected(row, row.FailureReason, error: null, work.Now);
            task.AddTo(work);
        }

        summary.StageTasks = summary.OpenTasks = step.Tasks.Count(t => t.Row.EndedAt is null);
        summary.CommandSentAt = work.Now;
        deadlines.Note(summary);
        work.Record(summary.CorrelationId, step.GetType().Name, step.GetType().Name, $"{summary.StageTasks} tasks");
    }

    /// <summary>Cancels the tasks of the summary that are still open.</summary>
    public async Task CancelTasks(BehaviorContext<SummaryRow> context)
    {
        var (id, work) = (context.Saga.CorrelationId, context.GetPayload<UnitOfWork>());
        await using var db = await contexts.CreateDbContextAsync();
        var open = await db.Tasks.AsNoTracking().Where(t => t.SummaryId == id && t.EndedAt == null)
            .Select(t => t.CorrelationId).ToListAsync();
        work.Cancellations.AddRange(open);
        foreach (var task in open)
            work.Send(new CancelTask(task));
    }
}
