using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.Webhooks;
using LlmQueue.Worker.Planning.Transitions;
using LlmQueue.Worker.Recovery;
using MassTransit;

namespace LlmQueue.Worker.Lifecycle;

/// <summary>Activities for the end of a task: its reason, event and webhook, and the count of its summary.</summary>
internal static class EndActivities
{
    public static void Complete(BehaviorContext<TaskRow> context) => End(TaskTransition.Of(context), TaskStates.Completed, null);

    public static void Fail(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        var reason = (transition.Next, transition.AfterCall) switch
        {
            (NextStep.Fail step, _) => step.Reason,
            (_, AfterCall.Fail after) => after.Reason,
            _ => throw new InvalidOperationException($"Task {transition.Task.CorrelationId} is to fail and no step has said why."),
        };
        EndWithoutAnswer(transition, TaskStates.Failed, "failed", reason);
    }

    public static void Expire(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        var reason = $"its deadline {transition.Task.Deadline:yyyy-MM-dd HH:mm:ss} UTC passed while it waited";
        EndWithoutAnswer(transition, TaskStates.Expired, "expired", reason);
    }

    public static void Reject(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        var (task, reason) = (transition.Task, ((NextStep.Reject)transition.Next!).Reason);
        End(transition, TaskStates.Rejected, reason);
        transition.Work.Publish(new LlmTaskRejected
        {
            TaskId = task.CorrelationId, Tenant = task.Tenant, Reason = reason, At = transition.Now, Metadata = transition.Metadata,
        });
    }

    public static void Cancel(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        var task = transition.Task;
        End(transition, TaskStates.Canceled, "canceled by its owner");
        transition.Work.Publish(new LlmTaskCanceled
        {
            TaskId = task.CorrelationId, Tenant = task.Tenant, At = transition.Now, Metadata = transition.Metadata,
        });
    }

    /// <summary>Keeps the answer and publishes it, in the transaction that completes the task.</summary>
    public static void KeepAnswer(TaskTransition transition, string text, string model)
    {
        var task = transition.Task;
        transition.AddPayload(PayloadRow.Answer, text);
        task.AnsweredModel = model;
        transition.Work.Publish(new LlmTaskCompleted
        {
            TaskId = task.CorrelationId, Tenant = task.Tenant, Output = text, Model = model,
            Usage = new LlmUsage(task.InputTokens, task.OutputTokens), CostUsd = task.CostUnknown ? null : task.CostUsd,
            Attempts = task.Attempt, SubmittedAt = task.SubmittedAt, CompletedAt = transition.Now, Metadata = transition.Metadata,
        });
    }

    private static void EndWithoutAnswer(TaskTransition transition, string state, string code, string reason)
    {
        var task = transition.Task;
        End(transition, state, reason);
        transition.Work.Publish(new LlmTaskFailed
        {
            TaskId = task.CorrelationId, Tenant = task.Tenant, Code = code, Reason = reason, Attempts = task.Attempt, At = transition.Now,
            Metadata = transition.Metadata,
        });
    }

    private static void End(TaskTransition transition, string state, string? reason)
    {
        var (task, work) = (transition.Task, transition.Work);
        task.EndedAt = work.Now;
        task.FailureReason = reason;
        work.EndedForSummary = task.SummaryId;
        if (task.WebhookUrl is { } url)
        {
            work.Webhooks.Add(new WebhookRow
            {
                Id = Guid.CreateVersion7(), TaskId = task.CorrelationId, Tenant = task.Tenant, Url = url,
                Type = $"task.{state.ToLowerInvariant()}", CreatedAt = work.Now, DueAt = work.Now,
            });
        }

        work.Record(task.CorrelationId, state, state, reason);
    }
}
