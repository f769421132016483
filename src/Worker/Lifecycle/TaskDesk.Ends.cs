using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.Webhooks;
using MassTransit;

namespace LlmQueue.Worker.Lifecycle;

// Ends: each with its reason, its event, and a word to the summary it was part of.
public sealed partial class TaskDesk
{
    public void Complete<T>(BehaviorContext<TaskRow, T> context) where T : class =>
        End(context.Saga, Of(context), TaskStates.Completed, null);

    public void Fail<T>(BehaviorContext<TaskRow, T> context) where T : class
    {
        var (task, transition) = (context.Saga, Of(context));
        var reason = transition.Decision switch { NextStep.Fail step => step.Reason, AfterCall.Fail after => after.Reason, _ => "unknown" };
        End(task, transition, TaskStates.Failed, reason);
        transition.Publish(new LlmTaskFailed { TaskId = task.CorrelationId, Tenant = task.Tenant, Code = "failed", Reason = reason, Attempts = task.Attempt, At = transition.Now, Metadata = MetadataOf(task) });
    }

    public void Reject<T>(BehaviorContext<TaskRow, T> context) where T : class
    {
        var (task, transition) = (context.Saga, Of(context));
        var reason = ((NextStep.Reject)transition.Decision!).Reason;
        End(task, transition, TaskStates.Rejected, reason);
        transition.Publish(new LlmTaskRejected { TaskId = task.CorrelationId, Tenant = task.Tenant, Reason = reason, At = transition.Now, Metadata = MetadataOf(task) });
    }

    public void Cancel<T>(BehaviorContext<TaskRow, T> context) where T : class
    {
        var (task, transition) = (context.Saga, Of(context));
        End(task, transition, TaskStates.Canceled, "canceled by its owner");
        transition.Publish(new LlmTaskCanceled { TaskId = task.CorrelationId, Tenant = task.Tenant, At = transition.Now, Metadata = MetadataOf(task) });
    }

    public void Expire<T>(BehaviorContext<TaskRow, T> context) where T : class
    {
        var (task, transition) = (context.Saga, Of(context));
        var reason = $"its deadline {task.Deadline:yyyy-MM-dd HH:mm:ss} UTC passed while it waited";
        End(task, transition, TaskStates.Expired, reason);
        transition.Publish(new LlmTaskFailed { TaskId = task.CorrelationId, Tenant = task.Tenant, Code = "expired", Reason = reason, Attempts = task.Attempt, At = transition.Now, Metadata = MetadataOf(task) });
    }

    /// <summary>Changes nothing: rings the bell that the row's state stands for.</summary>
    public void RingAgain<T>(BehaviorContext<TaskRow, T> context) where T : class
    {
        var (task, transition) = (context.Saga, Of(context));
        object? bell = task.State switch
        {
            TaskStates.Submitted => new StartTask(task.CorrelationId),
            var state when TaskStates.IsCalled(state) => CallOf(task),
            TaskStates.WaitingForCapacity when task.GrantedAt is not null => new CapacityGranted(task.CorrelationId, task.Attempt + 1),
            _ => null,
        };
        if (bell is not null)
            transition.Send(bell);
    }

    private static void End(TaskRow task, UnitOfWork transition, string state, string? reason)
    {
        task.EndedAt = transition.Now;
        task.FailureReason = reason;
        transition.EndedForSummary = task.SummaryId;
        if (task.WebhookUrl is { } url)
            transition.Webhooks.Add(new WebhookRow { Id = Guid.CreateVersion7(), TaskId = task.CorrelationId, Tenant = task.Tenant, Url = url, Type = $"task.{state.ToLowerInvariant()}", CreatedAt = transition.Now, DueAt = transition.Now });
        transition.Record(task.CorrelationId, state, state, reason);
    }

    /// <summary>Keeps the answer and tells of it, in the transaction that makes it one.</summary>
    private static AfterCall Answered(TaskRow task, UnitOfWork transition, string text, string model)
    {
        transition.Payloads.Add(new PayloadRow { SubjectId = task.CorrelationId, Part = PayloadRow.Answer, Content = text });
        task.AnsweredModel = model;
        transition.Publish(Completed(task, text, transition.Now));
        return new AfterCall.Done();
    }

    private static LlmTaskCompleted Completed(TaskRow task, string output, DateTime now) => new()
    {
        TaskId = task.CorrelationId, Tenant = task.Tenant, Output = output, Model = task.AnsweredModel!, Usage = new LlmUsage(task.InputTokens, task.OutputTokens),
        CostUsd = task.CostUnknown ? null : task.CostUsd, Attempts = task.Attempt, SubmittedAt = task.SubmittedAt, CompletedAt = now, Metadata = MetadataOf(task),
    };

    private static IReadOnlyDictionary<string, string>? MetadataOf(TaskRow task) =>
        task.Metadata is null ? null : JsonSerializer.Deserialize<Dictionary<string, string>>(task.Metadata, UnitOfWork.Json);
}
