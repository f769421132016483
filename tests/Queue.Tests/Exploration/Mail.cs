using LlmQueue.Contracts;
using LlmQueue.Worker.Outcomes;

namespace LlmQueue.Tests.Exploration;

/// <summary>The messages of a history.</summary>
internal static class Mail
{
    /// <summary>A message that nobody had to send now: late, early, of another attempt, or of an owner who wants it no more.</summary>
    public static object Stray(LlmTask task, int attempt, int kind)
    {
        var id = task.Id!.Value;
        return kind switch
        {
            < 2 => task,
            < 4 => new StartTask(id),
            < 6 => new CapacityGranted(id, attempt + 1),
            < 8 => new BudgetReleased(id),
            < 10 => new RetryDelayElapsed(id, attempt),
            < 13 => new LeaseExpired(id, attempt),
            < 16 => new CallProvider(id, attempt, "groq"),
            16 => new CancelTask(id),
            _ => new DeadlinePassed(id),
        };
    }

    public static string Named(object message) =>
        message is LlmTask task ? $"LlmTask {task.Id.ToString()![..8]}{(task.HighStakes ? " with much at stake" : "")}" : $"{message}";

    public static Guid TaskOf(object message) => message switch
    {
        LlmTask task => task.Id!.Value,
        StartTask start => start.TaskId,
        CapacityGranted granted => granted.TaskId,
        BudgetReleased released => released.TaskId,
        RetryDelayElapsed elapsed => elapsed.TaskId,
        CallFinished finished => finished.TaskId,
        LeaseExpired lease => lease.TaskId,
        CancelTask cancel => cancel.TaskId,
        DeadlinePassed passed => passed.TaskId,
        _ => throw new ArgumentException($"{message.GetType().Name} is no message of a task."),
    };
}
