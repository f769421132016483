using LlmQueue.Contracts;
using LlmQueue.Limits;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Tasks;
using MassTransit;

namespace LlmQueue.Worker.Lifecycle;

// Waiting: for room, for money, for a pause to end. Each wait has its reason, its time and its event.
public sealed partial class TaskDesk
{
    public void StandInLine<T>(BehaviorContext<TaskRow, T> context) where T : class
    {
        var (task, transition) = (context.Saga, Of(context));
        var why = ((NextStep.StandInLine)transition.Decision!).Why;
        var line = WaitQueue.Of(why.Buckets, task.Spread);
        lines.Know(line);
        task.Line = line.Id;
        task.LineTokens = why.Tokens;
        var deferral = Wait(task, transition, "capacity", why.Reason, why.ExpectedAt);
        transition.Enqueue = new Enqueue(line, task.PromptTokens + task.CallOutputTokens, Again: transition.Left is not null) { Expected = deferral.Expect };
    }

    public void WaitForMoney<T>(BehaviorContext<TaskRow, T> context) where T : class
    {
        var (task, transition) = (context.Saga, Of(context));
        var why = ((NextStep.WaitForMoney)transition.Decision!).Why;
        task.Line = why.Budget;
        task.DueAt = why.ExpectedAt;
        // Not reserved, only noted: the Pacer rings for as many as the money that comes back can pay.
        task.ReservedUsd = why.NeededUsd;
        transition.BudgetWaits(why.Budget, 1);
        Wait(task, transition, "budget", why.Reason, why.ExpectedAt);
    }

    public void BackOff<T>(BehaviorContext<TaskRow, T> context) where T : class
    {
        var (task, transition) = (context.Saga, Of(context));
        var pause = (AfterCall.BackOff)transition.Decision!;
        task.DueAt = transition.Now + pause.Pause;
        Wait(task, transition, "retry", pause.Reason, task.DueAt);
    }

    /// <summary>Ends a wait, or gives back what a canceled call had reserved.</summary>
    public async Task LeaveWait<T>(BehaviorContext<TaskRow, T> context) where T : class
    {
        var (task, transition) = (context.Saga, Of(context));
        switch (task.State)
        {
            case TaskStates.WaitingForCapacity when task.GrantedAt is not null:
                transition.Settlement = new Settlement { Reserved = ReservationOf(task), Used = new ResourceDemand(0, 0), SpentUsd = 0 };
                ClearReservation(task);
                break;
            case TaskStates.WaitingForCapacity:
                transition.Dequeue = new Dequeue(await lines.BucketsOf(task.Line!), task.LineTokens);
                break;
            case TaskStates.WaitingForBudget:
                transition.BudgetWaits(task.Line!, -1);
                task.ReservedUsd = null;
                break;
            case var state when TaskStates.IsCalled(state):
                var cutOff = EndAttempt(task, transition, "canceled", $"{(context.Message is DeadlinePassed ? "the task's deadline passed" : "its owner canceled the task")} while the call was on its way");
                transition.Settlement = new Settlement { Reserved = ReservationOf(task), Used = ReservationOf(task).Demand, SpentUsd = task.ReservedUsd };
                cutOff.CostUsd = task.ReservedUsd;
                task.CostUsd += task.ReservedUsd ?? 0;
                task.CostUnknown |= task.ReservedUsd is null;
                ClearReservation(task);
                break;
        }

        EndWait(task);
    }

    public bool IsCurrentGrant(BehaviorContext<TaskRow, CapacityGranted> context) => context.Saga.GrantedAt is not null && context.Message.Attempt == context.Saga.Attempt + 1;

    public bool IsOldGrant(BehaviorContext<TaskRow, CapacityGranted> context) => !IsCurrentGrant(context);

    public bool IsGranted(BehaviorContext<TaskRow, BudgetReleased> context) => context.Saga.GrantedAt is not null;

    public bool IsNotGranted(BehaviorContext<TaskRow, BudgetReleased> context) => context.Saga.GrantedAt is null;

    public bool IsCurrentDelay(BehaviorContext<TaskRow, RetryDelayElapsed> context) => context.Message.Attempt == context.Saga.Attempt;

    public bool IsOldDelay(BehaviorContext<TaskRow, RetryDelayElapsed> context) => !IsCurrentDelay(context);

    private static Deferral Wait(TaskRow task, UnitOfWork transition, string waitingFor, string reason, DateTime? expectedAt)
    {
        (task.WaitingFor, task.WaitReason, task.WaitingSince) = (waitingFor, reason, transition.Now);
        task.RungAt = transition.Now;
        var state = waitingFor switch { "capacity" => TaskStates.WaitingForCapacity, "budget" => TaskStates.WaitingForBudget, _ => TaskStates.WaitingToRetry };
        transition.Record(task.CorrelationId, "Deferred", state);
        transition.Publish(new LlmTaskDeferred { TaskId = task.CorrelationId, Tenant = task.Tenant, WaitingFor = waitingFor, Reason = reason, At = transition.Now, Metadata = MetadataOf(task) });
        var deferral = new Deferral(task, transition);
        deferral.Expect(expectedAt);
        return deferral;
    }

    /// <summary>The three places where a wait is told: row, history and event. A task that stands in line has its expected time only from the commit that gives it its place.</summary>
    private sealed class Deferral(TaskRow task, UnitOfWork transition)
    {
        private readonly HistoryRow _entry = transition.History[^1];
        private readonly int _event = transition.OutboxMessages.Count - 1;

        public void Expect(DateTime? at)
        {
            task.ExpectedAt = at is { } time && time < transition.Now + WaitRule.Horizon ? time : null;
            _entry.Reason = task.ExpectedAt is { } expected ? $"{task.WaitReason}; expected to move at {expected:yyyy-MM-dd HH:mm:ss.fff} UTC" : task.WaitReason;
            var announcement = transition.OutboxMessages[_event];
            transition.OutboxMessages[_event] = announcement with { Message = (LlmTaskDeferred)announcement.Message with { ExpectedAt = task.ExpectedAt } };
        }
    }

    private static void EndWait(TaskRow task)
    {
        (task.WaitingFor, task.WaitReason, task.WaitingSince, task.ExpectedAt) = (null, null, null, null);
        (task.Line, task.DueAt, task.GrantedAt, task.StartTag) = (null, null, null, 0);
    }
}
