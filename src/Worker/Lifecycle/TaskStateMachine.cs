using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Outcomes;
using MassTransit;

namespace LlmQueue.Worker.Lifecycle;

/// <summary>
/// The life of a task. It only says what follows what; the verbs are in TaskVerbs, the decisions in the rules of Classification, Selection, Admission and Recovery.
/// Every transition is one commit. Every message may come twice, late or never: what is next follows from the row.
/// </summary>
public sealed class TaskStateMachine : MassTransitStateMachine<TaskRow>
{
    public TaskStateMachine(TaskDesk desk, TimeProvider clock)
    {
        InstanceState(task => task.State);

        Event(() => Received, e =>
        {
            e.CorrelateById(context => MessageIdentity.Of(context, context.Message.Id));
            e.InsertOnInitial = true;
            e.SetSagaFactory(context => desk.TakeIn(context, clock.GetUtcNow().UtcDateTime));
        });
        Existing(() => Started, m => m.TaskId);
        Existing(() => Granted, m => m.TaskId);
        Existing(() => MoneyReleased, m => m.TaskId);
        Existing(() => DelayElapsed, m => m.TaskId);
        Existing(() => Finished, m => m.TaskId);
        Existing(() => LeaseRanOut, m => m.TaskId);
        Existing(() => CancelAsked, m => m.TaskId);
        Existing(() => DeadlineReached, m => m.TaskId);

        Initially(
            When(Received)
                .Accept(desk)
                .IfElse(desk.IsRefused,
                    refused => refused.Reject(desk).TransitionTo(Rejected),
                    accepted => SeekRoom(accepted, desk)));

        During(Submitted,
            SeekRoom(When(Started), desk));

        During(Classifying,
            SeekRoom(When(Finished, desk.IsCurrent).SettleCall(desk).KeepClassification(desk), desk),
            SeekRoom(When(LeaseRanOut, desk.IsCurrentLease).AbandonCall(desk).KeepClassification(desk), desk));

        // Whatever the call is for: what its images show, notes of a part, the answer, and with much at stake its critique and its revision.
        DuringEach([Extracting, Calling, Critiquing, Revising],
            AfterCalling(When(Finished, desk.IsCurrent).SettleCall(desk), desk),
            AfterCalling(When(LeaseRanOut, desk.IsCurrentLease).AbandonCall(desk), desk));

        During(WaitingForCapacity,
            ToCall(When(Granted, desk.IsCurrentGrant).OpenGrantedAttempt(desk)),
            SeekRoom(When(MoneyReleased, desk.IsNotGranted).LeaveWait(desk), desk));

        During(WaitingForBudget,
            SeekRoom(When(MoneyReleased).LeaveWait(desk), desk));

        During(WaitingToRetry,
            SeekRoom(When(DelayElapsed, desk.IsCurrentDelay).LeaveWait(desk), desk));

        // Its owner may cancel it until it has ended; a call on its way is paid for, and its answer comes too late.
        DuringEach([Submitted, Classifying, Extracting, Calling, Critiquing, Revising, WaitingForCapacity, WaitingForBudget, WaitingToRetry],
            When(CancelAsked)
                .LeaveWait(desk)
                .Cancel(desk)
                .TransitionTo(Canceled));

        // A deadline ends what waits, or makes its draft the answer. A first answer on its way is let come: it is paid for and may still be of use.
        During(Submitted,
            When(DeadlineReached)
                .Expire(desk)
                .TransitionTo(Expired));
        DuringEach([WaitingForCapacity, WaitingForBudget, WaitingToRetry],
            When(DeadlineReached)
                .LeaveWait(desk)
                .IfElse(desk.HasDraft,
                    drafted => drafted.KeepAnswer(desk).TransitionTo(Completed),
                    empty => empty.Expire(desk).TransitionTo(Expired)));
        DuringEach([Critiquing, Revising],
            When(DeadlineReached)
                .LeaveWait(desk)
                .KeepAnswer(desk)
                .TransitionTo(Completed));

        // A producer's message that comes again finds its task on the way: its bell may have been lost, so it is rung again.
        DuringEach([Submitted, Classifying, Extracting, Calling, Critiquing, Revising, WaitingForCapacity, WaitingForBudget, WaitingToRetry],
            When(Received).RingAgain(desk));

        // Late, doubled and overtaken messages change nothing.
        During(Submitted, Ignore(Granted), Ignore(MoneyReleased), Ignore(DelayElapsed), Ignore(Finished), Ignore(LeaseRanOut));
        During(Classifying, Ignore(Started), Ignore(Granted), Ignore(MoneyReleased), Ignore(DelayElapsed), Ignore(DeadlineReached),
            Ignore(Finished, desk.IsOld), Ignore(LeaseRanOut, desk.IsOldLease));
        DuringEach([Extracting, Calling], Ignore(Started), Ignore(Granted), Ignore(MoneyReleased), Ignore(DelayElapsed), Ignore(DeadlineReached),
            Ignore(Finished, desk.IsOld), Ignore(LeaseRanOut, desk.IsOldLease));
        DuringEach([Critiquing, Revising], Ignore(Started), Ignore(Granted), Ignore(MoneyReleased), Ignore(DelayElapsed),
            Ignore(Finished, desk.IsOld), Ignore(LeaseRanOut, desk.IsOldLease));
        During(WaitingForCapacity, Ignore(Started), Ignore(DelayElapsed), Ignore(Finished), Ignore(LeaseRanOut),
            Ignore(Granted, desk.IsOldGrant), Ignore(MoneyReleased, desk.IsGranted));
        During(WaitingForBudget, Ignore(Started), Ignore(Granted), Ignore(DelayElapsed), Ignore(Finished), Ignore(LeaseRanOut));
        During(WaitingToRetry, Ignore(Started), Ignore(Granted), Ignore(MoneyReleased), Ignore(Finished), Ignore(LeaseRanOut),
            Ignore(DelayElapsed, desk.IsOldDelay));
        DuringEach([Completed, Failed, Rejected, Canceled, Expired],
            Ignore(Received), Ignore(Started), Ignore(Granted), Ignore(MoneyReleased), Ignore(DelayElapsed), Ignore(Finished), Ignore(LeaseRanOut), Ignore(CancelAsked), Ignore(DeadlineReached));
    }

    /// <summary>The row is written and nothing has looked at it. The worker that answers StartTask moves it on; the Rescuer rings again. A line of a batch waits here for its portion, and the leading Pacer rings for it.</summary>
    public State Submitted { get; private set; } = null!;

    /// <summary>The small model is asked what the task is. The worker that made that call moves it on, whatever the answer.</summary>
    public State Classifying { get; private set; } = null!;

    /// <summary>What no model could answer as it came is made into text it can: JSON of its images, notes of each part of a prompt too long for one call. The worker that made that call moves it on.</summary>
    public State Extracting { get; private set; } = null!;

    /// <summary>A call is on its way. The worker that claimed it moves the task on; should that worker die, the Rescuer does.</summary>
    public State Calling { get; private set; } = null!;

    /// <summary>Another model reviews the draft, or scores its revision. The worker that made that call moves it on; without a critic the draft is the answer.</summary>
    public State Critiquing { get; private set; } = null!;

    /// <summary>The draft's model writes it anew. The worker that made that call moves it on; the draft stays the answer until the revision is found no worse.</summary>
    public State Revising { get; private set; } = null!;

    /// <summary>It stands in a line. The Pacer moves it when a bucket of the line has room.</summary>
    public State WaitingForCapacity { get; private set; } = null!;

    /// <summary>The budget is spent. The Pacer moves it when money comes back, the budget is raised or its next period begins.</summary>
    public State WaitingForBudget { get; private set; } = null!;

    /// <summary>It rests after a fault. The Pacer moves it when its time has come.</summary>
    public State WaitingToRetry { get; private set; } = null!;

    /// <summary>It has its answer; nobody moves it.</summary>
    public State Completed { get; private set; } = null!;

    /// <summary>Every way was tried; nobody moves it.</summary>
    public State Failed { get; private set; } = null!;

    /// <summary>It could never run as asked; nobody moves it.</summary>
    public State Rejected { get; private set; } = null!;

    /// <summary>Its owner wants it no more; nobody moves it.</summary>
    public State Canceled { get; private set; } = null!;

    /// <summary>Its deadline passed while it waited; nobody moves it.</summary>
    public State Expired { get; private set; } = null!;

    public Event<LlmTask> Received { get; private set; } = null!;
    public Event<StartTask> Started { get; private set; } = null!;
    public Event<CapacityGranted> Granted { get; private set; } = null!;
    public Event<BudgetReleased> MoneyReleased { get; private set; } = null!;
    public Event<RetryDelayElapsed> DelayElapsed { get; private set; } = null!;
    public Event<CallFinished> Finished { get; private set; } = null!;
    public Event<LeaseExpired> LeaseRanOut { get; private set; } = null!;
    public Event<CancelTask> CancelAsked { get; private set; } = null!;
    public Event<DeadlinePassed> DeadlineReached { get; private set; } = null!;

    /// <summary>The fork of admission: classify, route, reserve; then one of seven ways.</summary>
    private EventActivityBinder<TaskRow, T> SeekRoom<T>(EventActivityBinder<TaskRow, T> task, TaskDesk desk) where T : class => task
        .AskForRoom(desk)
        .If(desk.Decided<NextStep.Call>, admitted => ToCall(admitted.OpenAttempt(desk)))
        .If(desk.Decided<NextStep.AskClassifier>, unsure => unsure.OpenAttempt(desk).TransitionTo(Classifying))
        .If(desk.Decided<NextStep.StandInLine>, full => full.StandInLine(desk).TransitionTo(WaitingForCapacity))
        .If(desk.Decided<NextStep.WaitForMoney>, broke => broke.WaitForMoney(desk).TransitionTo(WaitingForBudget))
        .If(desk.Decided<NextStep.Reject>, impossible => impossible.Reject(desk).TransitionTo(Rejected))
        .If(desk.Decided<NextStep.Keep>, enough => enough.KeepAnswer(desk).TransitionTo(Completed))
        .If(desk.Decided<NextStep.Fail>, lost => lost.Fail(desk).TransitionTo(Failed));

    /// <summary>A call is open; the state says what for.</summary>
    private EventActivityBinder<TaskRow, T> ToCall<T>(EventActivityBinder<TaskRow, T> opened) where T : class => opened
        .If(TaskDesk.Calls<T>(TaskStates.Extracting), material => material.TransitionTo(Extracting))
        .If(TaskDesk.Calls<T>(TaskStates.Calling), answer => answer.TransitionTo(Calling))
        .If(TaskDesk.Calls<T>(TaskStates.Critiquing), critique => critique.TransitionTo(Critiquing))
        .If(TaskDesk.Calls<T>(TaskStates.Revising), revision => revision.TransitionTo(Revising));

    /// <summary>The fork after a call: an answer, another pass, another try, a pause or the end.</summary>
    private EventActivityBinder<TaskRow, T> AfterCalling<T>(EventActivityBinder<TaskRow, T> task, TaskDesk desk) where T : class => task
        .DecideRecovery(desk)
        .If(desk.Decided<AfterCall.Done>, answered => answered.Complete(desk).TransitionTo(Completed))
        .If(desk.Decided<AfterCall.Keep>, enough => enough.KeepAnswer(desk).TransitionTo(Completed))
        .If(desk.Decided<AfterCall.BackOff>, faulted => faulted.BackOff(desk).TransitionTo(WaitingToRetry))
        .If(desk.Decided<AfterCall.Fail>, lost => lost.Fail(desk).TransitionTo(Failed))
        .If(desk.Decided<AfterCall.NextPass>, more => SeekRoom(more.BeginPass(desk), desk))
        .If(desk.Decided<AfterCall.SeekAgain>, again => SeekRoom(again, desk));

    private void DuringEach(State[] states, params EventActivities<TaskRow>[] activities)
    {
        foreach (var state in states)
            During(state, activities);
    }

    private void Existing<T>(System.Linq.Expressions.Expression<Func<Event<T>>> name, Func<T, Guid> task) where T : class =>
        Event(name, e =>
        {
            e.CorrelateById(context => task(context.Message));
            // A bell for a task that the Pruner has removed, or that never was.
            e.OnMissingInstance(missing => missing.Discard());
        });
}

/// <summary>The identity of a task whose producer did not give one.</summary>
internal static class MessageIdentity
{
    /// <summary>The producer's id, else the message's, else one that is made once for this delivery.</summary>
    public static Guid Of(ConsumeContext context, Guid? given) =>
        given is { } id && id != Guid.Empty ? id : context.MessageId ?? context.GetOrAddPayload(() => new Made(Guid.CreateVersion7())).Id;

    private sealed record Made(Guid Id);
}
