using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Calling.Claiming;
using LlmQueue.Worker.Planning.Transitions;
using LlmQueue.Worker.Routing;
using MassTransit;

namespace LlmQueue.Worker.Lifecycle;

/// <summary>Activities for calls: an attempt is opened on its reservation, or cut off.</summary>
public sealed class CallActivities(
    BucketDirectory directory, KeyChoice keys, CallSlots slots, AdmissionController admission, TaskRouter router)
{
    /// <summary>The command that has a worker make the open call.</summary>
    internal static CallProvider CommandOf(TaskRow task) =>
        new(task.CorrelationId, task.Attempt, task.Model is { } model ? ModelId.Parse(model).Provider : null);

    /// <summary>Opens the attempt that planning has reserved capacity for.</summary>
    public void Open(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        var (task, call) = (transition.Task, (NextStep.Call)transition.Next!);
        task.Why = router.WhyCalled(task);
        if (call.WhyNotFirst is { } why && !task.Route.LoadBalanced && task.Model != call.FirstChoice)
            Downgrade(transition, call.FirstChoice, why);
        else if (transition.Left is { } left && left.Model != task.Model)
            Downgrade(transition, left.Model, left.Reason);
        Open(context, transition, TaskPasses.StateOf(task.Pass.Name));
    }

    /// <summary>Opens the attempt that asks the small model what the task is.</summary>
    public void OpenClassification(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        transition.Task.Why = "asked what the task is";
        Open(context, transition, TaskStates.Classifying);
    }

    /// <summary>Opens the attempt that the capacity scheduler has booked capacity for while the task waited.</summary>
    public void OpenGranted(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        var task = transition.Task;
        var firstChoice = task.Route.Chain?.FirstChoice;
        task.Why = router.WhyCalled(task);
        if (!task.Route.LoadBalanced && firstChoice is not null && task.Model != firstChoice)
            Downgrade(transition, firstChoice, admission.WhyGranted(task, transition.Now));
        task.Wait = TaskWait.None;
        Open(context, transition, TaskPasses.StateOf(task.Pass.Name));
    }

    /// <summary>Gives up a call on its way. What was reserved for it counts as spent: the provider may answer all the same.</summary>
    public void CutOff<T>(BehaviorContext<TaskRow, T> context) where T : class
    {
        var transition = TaskTransition.Of(context);
        var task = transition.Task;
        if (!TaskStates.IsCalled(task.State))
            return;
        var why = context.Message is DeadlinePassed ? "the task's deadline passed" : "its owner canceled the task";
        var attempt = transition.EndAttempt("canceled", $"{why} while the call was on its way");
        var reservation = transition.Reservation;
        transition.Work.Settlement = new Settlement { Reserved = reservation, Used = reservation.Demand, SpentUsd = task.Reservation.Usd };
        attempt.CostUsd = task.Reservation.Usd;
        task.CostUsd += task.Reservation.Usd ?? 0;
        task.CostUnknown |= task.Reservation.Usd is null;
        transition.ClearReservation();
    }

    private void Open(ConsumeContext cause, TaskTransition transition, string state)
    {
        var (task, work) = (transition.Task, transition.Work);
        task.Attempt++;
        task.CommandSentAt = work.Now;
        var bucket = directory.Find(task.Reservation.Bucket!);
        var attempt = new AttemptRow
        {
            TaskId = task.CorrelationId, Number = task.Attempt, Model = task.Model!, Bucket = task.Reservation.Bucket!,
            KeyAlias = bucket is null ? "" : keys.For(bucket).Alias, Why = task.Why ?? "",
            ReservedTokens = task.Reservation.Tokens, ReservedUsd = task.Reservation.Usd, CreatedAt = work.Now,
        };
        work.Opened.Add(attempt);
        work.Record(task.CorrelationId, state, state, $"attempt {task.Attempt} on {task.Model} ({task.Why})");
        // Of those that share a call, only the lead is called for; who leads is known when it is committed.
        if (state == TaskStates.Classifying)
            work.WhenCommitted += () =>
            {
                if (task.Reservation.Lead is null)
                    work.Send(CommandOf(task));
            };
        else if (!slots.TryKeep(task, attempt, work, cause))
            work.Send(CommandOf(task));
    }

    private static void Downgrade(TaskTransition transition, string from, string why)
    {
        var task = transition.Task;
        task.Why = $"{task.Why}; not {from}, because {why}";
        transition.Record("Downgraded", $"{from} → {task.Model}: {why}");
        transition.Work.Publish(new LlmTaskDowngraded
        {
            TaskId = task.CorrelationId, Tenant = task.Tenant, From = from, To = task.Model!, Reason = why,
            At = transition.Now, Metadata = transition.Metadata,
        });
    }
}
