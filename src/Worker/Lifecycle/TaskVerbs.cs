using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Outcomes;
using MassTransit;

namespace LlmQueue.Worker.Lifecycle;

/// <summary>The machine's verbs. Each one names what it does; the desk does it.</summary>
internal static class TaskVerbs
{
    public static EventActivityBinder<TaskRow, LlmTask> Accept(this EventActivityBinder<TaskRow, LlmTask> task, TaskDesk desk) => task.Then(desk.Accept);

    public static EventActivityBinder<TaskRow, T> AskForRoom<T>(this EventActivityBinder<TaskRow, T> task, TaskDesk desk) where T : class => task.ThenAsync(desk.AskForRoom);

    public static EventActivityBinder<TaskRow, T> OpenAttempt<T>(this EventActivityBinder<TaskRow, T> task, TaskDesk desk) where T : class => task.Then(desk.OpenAttempt);

    public static EventActivityBinder<TaskRow, CapacityGranted> OpenGrantedAttempt(this EventActivityBinder<TaskRow, CapacityGranted> task, TaskDesk desk) => task.Then(desk.OpenGrantedAttempt);

    public static EventActivityBinder<TaskRow, T> StandInLine<T>(this EventActivityBinder<TaskRow, T> task, TaskDesk desk) where T : class => task.Then(desk.StandInLine);

    public static EventActivityBinder<TaskRow, T> WaitForMoney<T>(this EventActivityBinder<TaskRow, T> task, TaskDesk desk) where T : class => task.Then(desk.WaitForMoney);

    public static EventActivityBinder<TaskRow, T> LeaveWait<T>(this EventActivityBinder<TaskRow, T> task, TaskDesk desk) where T : class => task.ThenAsync(desk.LeaveWait);

    public static EventActivityBinder<TaskRow, CallFinished> SettleCall(this EventActivityBinder<TaskRow, CallFinished> task, TaskDesk desk) => task.Then(c => desk.SettleCall(c, c.Message));

    public static EventActivityBinder<TaskRow, LeaseExpired> AbandonCall(this EventActivityBinder<TaskRow, LeaseExpired> task, TaskDesk desk) => task.Then(c => desk.SettleCall(c, desk.Abandoned(c)));

    public static EventActivityBinder<TaskRow, T> KeepClassification<T>(this EventActivityBinder<TaskRow, T> task, TaskDesk desk) where T : class => task.Then(desk.KeepClassification);

    public static EventActivityBinder<TaskRow, T> DecideRecovery<T>(this EventActivityBinder<TaskRow, T> task, TaskDesk desk) where T : class => task.Then(desk.DecideRecovery);

    public static EventActivityBinder<TaskRow, T> BeginPass<T>(this EventActivityBinder<TaskRow, T> task, TaskDesk desk) where T : class => task.ThenAsync(desk.BeginPass);

    public static EventActivityBinder<TaskRow, T> KeepAnswer<T>(this EventActivityBinder<TaskRow, T> task, TaskDesk desk) where T : class => task.ThenAsync(desk.KeepAnswer);

    public static EventActivityBinder<TaskRow, T> Complete<T>(this EventActivityBinder<TaskRow, T> task, TaskDesk desk) where T : class => task.Then(desk.Complete);

    public static EventActivityBinder<TaskRow, T> BackOff<T>(this EventActivityBinder<TaskRow, T> task, TaskDesk desk) where T : class => task.Then(desk.BackOff);

    public static EventActivityBinder<TaskRow, T> Fail<T>(this EventActivityBinder<TaskRow, T> task, TaskDesk desk) where T : class => task.Then(desk.Fail);

    public static EventActivityBinder<TaskRow, T> Reject<T>(this EventActivityBinder<TaskRow, T> task, TaskDesk desk) where T : class => task.Then(desk.Reject);

    public static EventActivityBinder<TaskRow, T> Cancel<T>(this EventActivityBinder<TaskRow, T> task, TaskDesk desk) where T : class => task.Then(desk.Cancel);

    public static EventActivityBinder<TaskRow, T> Expire<T>(this EventActivityBinder<TaskRow, T> task, TaskDesk desk) where T : class => task.Then(desk.Expire);

    public static EventActivityBinder<TaskRow, T> RingAgain<T>(this EventActivityBinder<TaskRow, T> task, TaskDesk desk) where T : class => task.Then(desk.RingAgain);
}
