using LlmQueue.Contracts;
using LlmQueue.Limits;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Planning.Transitions;
using LlmQueue.Worker.Recovery;
using MassTransit;

namespace LlmQueue.Worker.Lifecycle;

/// <summary>
/// Activities for waits: for capacity, for budget, for the end of a back-off. Each has its reason, its expected time and its event.
/// </summary>
public sealed class WaitActivities(WaitQueueDirectory waitQueues)
{
    public void WaitForCapacity(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        var (task, why) = (transition.Task, ((NextStep.WaitForCapacity)transition.Next!).Why);
        var queue = WaitQueue.Of(why.Buckets, task.Route.LoadBalanced);
        waitQueues.Know(queue);
        var wait = new TaskWait { For = "capacity", Reason = why.Reason, QueueId = queue.Id, QueueTokens = why.Tokens };
        var recorded = Begin(transition, TaskStates.WaitingForCapacity, wait, why.ExpectedAt);
        var cost = task.PromptTokens + task.CallOutputTokens;
        transition.Work.Enqueue = new Enqueue(queue, cost, Again: transition.Left is not null) { Expected = recorded.Expect };
    }

    public void WaitForBudget(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        var (task, why) = (transition.Task, ((NextStep.WaitForBudget)transition.Next!).Why);
        // Not reserved, only noted: the capacity scheduler wakes as many tasks as the money that comes back can pay.
        task.Reservation = task.Reservation with { Usd = why.NeededUsd };
        transition.Work.BudgetWaits(why.Budget, 1);
        var wait = new TaskWait { For = "budget", Reason = why.Reason, QueueId = why.Budget, DueAt = why.ExpectedAt };
        Begin(transition, TaskStates.WaitingForBudget, wait, why.ExpectedAt);
    }

    public void BackOff(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        var backOff = (AfterCall.BackOff)transition.AfterCall!;
        var wait = new TaskWait { For = "retry", Reason = backOff.Reason, DueAt = transition.Now + backOff.Pause };
        Begin(transition, TaskStates.WaitingToRetry, wait, wait.DueAt);
    }

    /// <summary>Ends the wait and gives back what was booked or counted for it.</summary>
    public async Task Leave(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        var task = transition.Task;
        switch (task.State)
        {
            case TaskStates.WaitingForCapacity when task.Wait.GrantedAt is not null:
                transition.Work.Settlement = new Settlement
                {
                    Reserved = transition.Reservation, Used = new ResourceDemand(0, 0), SpentUsd = 0,
                };
                transition.ClearReservation();
                break;
            case TaskStates.WaitingForCapacity:
                transition.Work.Dequeue = new Dequeue(await waitQueues.BucketsOf(task.Wait.QueueId!), task.Wait.QueueTokens);
                break;
            case TaskStates.WaitingForBudget:
                transition.Work.BudgetWaits(task.Wait.QueueId!, -1);
                task.Reservation = task.Reservation with { Usd = null };
                break;
        }

        task.Wait = TaskWait.None;
    }

    private static RecordedWait Begin(TaskTransition transition, string state, TaskWait wait, DateTime? expectedAt)
    {
        var (task, work) = (transition.Task, transition.Work);
        (task.Wait, task.CommandSentAt) = (wait with { Since = work.Now }, work.Now);
        work.Record(task.CorrelationId, "Deferred", state);
        work.Publish(new LlmTaskDeferred
        {
            TaskId = task.CorrelationId, Tenant = task.Tenant, WaitingFor = wait.For!, Reason = wait.Reason!,
            At = work.Now, Metadata = transition.Metadata,
        });
        var recorded = new RecordedWait(task, work);
        recorded.Expect(expectedAt);
        return recorded;
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
            var wait = task.Wait with { ExpectedAt = at is { } time && time < work.Now + WaitRule.Horizon ? time : null };
            task.Wait = wait;
            _entry.Reason = wait.ExpectedAt is { } expected
                ? $"{wait.Reason}; expected to move at {expected:yyyy-MM-dd HH:mm:ss.fff} UTC"
                : wait.Reason;
            var announced = work.OutboxMessages[_event];
            var deferred = (LlmTaskDeferred)announced.Message with { ExpectedAt = wait.ExpectedAt };
            work.OutboxMessages[_event] = announced with { Message = deferred };
        }
    }
}
