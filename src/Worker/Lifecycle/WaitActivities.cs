using LlmQueue.Contracts;
using LlmQueue.Limits;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Planning;
using LlmQueue.Worker.Recovery;
using MassTransit;

namespace LlmQueue.Worker.Lifecycle;

/// <summary>
/// Activities for waits: for capacity, for budget, for the end of a back-off. Each has its reason, its expected time and its event.
/// </summary>
public sealed class WaitActivities(WaitQueueDirectory waitQueues)
{
    internal static void EndWait(TaskRow task)
    {
        (task.WaitingFor, task.WaitReason, task.WaitingSince, task.ExpectedAt) = (null, null, null, null);
        (task.Line, task.DueAt, task.GrantedAt, task.StartTag) = (null, null, null, 0);
    }

    public void WaitForCapacity(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        var (task, why) = (transition.Task, ((NextStep.WaitForCapacity)transition.Next!).Why);
        var queue = WaitQueue.Of(why.Buckets, task.Spread);
        waitQueues.Know(queue);
        task.Line = queue.Id;
        task.LineTokens = why.Tokens;
        var wait = Begin(transition, TaskStates.WaitingForCapacity, "capacity", why.Reason, why.ExpectedAt);
        var cost = task.PromptTokens + task.CallOutputTokens;
        transition.Work.Enqueue = new Enqueue(queue, cost, Again: transition.Left is not null) { Expected = wait.Expect };
    }

    public void WaitForBudget(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        var (task, why) = (transition.Task, ((NextStep.WaitForBudget)transition.Next!).Why);
        task.Line = why.Budget;
        task.DueAt = why.ExpectedAt;
        // Not reserved, only noted: the capacity scheduler wakes as many tasks as the money that comes back can pay.
        task.ReservedUsd = why.NeededUsd;
        transition.Work.BudgetWaits(why.Budget, 1);
        Begin(transition, TaskStates.WaitingForBudget, "budget", why.Reason, why.ExpectedAt);
    }

    public void BackOff(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        var (task, backOff) = (transition.Task, (AfterCall.BackOff)transition.AfterCall!);
        task.DueAt = transition.Now + backOff.Pause;
        Begin(transition, TaskStates.WaitingToRetry, "retry", backOff.Reason, task.DueAt);
    }

    /// <summary>Ends the wait and gives back what was booked or counted for it.</summary>
    public async Task Leave(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        var task = transition.Task;
        switch (task.State)
        {
            case TaskStates.WaitingForCapacity when task.GrantedAt is not null:
                transition.Work.Settlement = new Settlement
                {
                    Reserved = transition.Reservation, Used = new ResourceDemand(0, 0), SpentUsd = 0,
                };
                transition.ClearReservation();
                break;
            case TaskStates.WaitingForCapacity:
                transition.Work.Dequeue = new Dequeue(await waitQueues.BucketsOf(task.Line!), task.LineTokens);
                break;
            case TaskStates.WaitingForBudget:
                transition.Work.BudgetWaits(task.Line!, -1);
                task.ReservedUsd = null;
                break;
        }

        EndWait(task);
    }

    private static RecordedWait Begin(TaskTransition transition, string state, string waitingFor, string reason, DateTime? expectedAt)
    {
        var (task, work) = (transition.Task, transition.Work);
        (task.WaitingFor, task.WaitReason, task.WaitingSince) = (waitingFor, reason, work.Now);
        task.RungAt = work.Now;
        work.Record(task.CorrelationId, "Deferred", state);
        work.Publish(new LlmTaskDeferred
        {
            TaskId = task.CorrelationId, Tenant = task.Tenant, WaitingFor = waitingFor, Reason = reason,
            At = work.Now, Metadata = transition.Metadata,
        });
        var wait = new RecordedWait(task, work);
        wait.Expect(expectedAt);
        return wait;
    }

    /// <summary>
    /// The three places that tell of a wait: row, history and event. A task in a wait queue has its expected time only from the commit that
    /// gives it its place.
    /// </summary>
    private sealed class RecordedWait(TaskRow task, UnitOfWork work)
    {
        private readonly HistoryRow _entry = work.History[^1];
        private readonly int _event = work.OutboxMessages.Count - 1;

        public void Expect(DateTime? at)
        {
            task.ExpectedAt = at is { } time && time < work.Now + WaitRule.Horizon ? time : null;
            _entry.Reason = task.ExpectedAt is { } expected
                ? $"{task.WaitReason}; expected to move at {expected:yyyy-MM-dd HH:mm:ss.fff} UTC"
                : task.WaitReason;
            var message = work.OutboxMessages[_event];
            var deferred = (LlmTaskDeferred)message.Message with { ExpectedAt = task.ExpectedAt };
            work.OutboxMessages[_event] = message with { Message = deferred };
        }
    }
}
