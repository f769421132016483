using LlmQueue.Contracts;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Sagas;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;
using LlmQueue.Worker.Planning.Transitions;
using MassTransit;

namespace LlmQueue.Worker.Lifecycle;

/// <summary>Activities for a new task: its message is read into a row.</summary>
internal static class IntakeActivities
{
    /// <summary>Makes the row of a new task; what else was read waits in the message's context for <see cref="Accept"/>.</summary>
    public static TaskRow Read(ConsumeContext<LlmTask> context)
    {
        var now = context.GetPayload<UnitOfWork>().Now;
        var taken = TaskIntake.Read(context.Message, MessageIdentity.Of(context, context.Message.Id), tenant: null, now);
        context.AddOrUpdatePayload(() => taken, _ => taken);
        return taken.Row;
    }

    public static void Accept(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        var taken = context.GetPayload<AcceptedTask>();
        SubmittedTask.Create(transition.Task, taken.Prompt, transition.Now).AddRecordsTo(transition.Work);
        if (taken.Refusal is { } refusal)
            transition.Next = new NextStep.Reject(refusal);
    }

    /// <summary>Changes nothing: sends again the command that the row's state stands for, because the first may have been lost.</summary>
    public static void SendAgain(BehaviorContext<TaskRow> context)
    {
        var (task, work) = (context.Saga, context.GetPayload<UnitOfWork>());
        object? command = task.State switch
        {
            TaskStates.Submitted => new StartTask(task.CorrelationId),
            var state when TaskStates.IsCalled(state) => CallActivities.CommandOf(task),
            TaskStates.WaitingForCapacity when task.Wait.GrantedAt is not null => new CapacityGranted(task.CorrelationId, task.Attempt + 1),
            _ => null,
        };
        if (command is not null)
            work.Send(command);
    }
}
