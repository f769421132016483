using LlmQueue.Contracts;
using LlmQueue.Storage.Sagas;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Outcomes;
using LlmQueue.Worker.Planning;
using LlmQueue.Worker.Planning.Transitions;
using LlmQueue.Worker.Recovery;
using MassTransit;

namespace LlmQueue.Worker.Lifecycle;

/// <summary>
/// The state machine of a task. It only says what follows what: the steps that prepare a call are in Planning, what is done is in the
/// activities beside this file, and what is decided is in the rules of Classification, Routing, Admission and Recovery. Every transition is
/// one commit. Every message may come twice, late or never: what is next follows from the row.
/// </summary>
public sealed class TaskStateMachine : MassTransitStateMachine<TaskRow>
{
    private readonly TaskPlanner _planner;
    private readonly CallActivities _calls;
    private readonly SettleActivities _settle;
    private readonly OutcomeActivities _outcomes;
    private readonly AnswerActivities _answers;
    private readonly PassActivities _passes;
    private readonly WaitActivities _waits;

    public TaskStateMachine(
        TaskPlanner planner,
        CallActivities calls,
        SettleActivities settle,
        OutcomeActivities outcomes,
        AnswerActivities answers,
        PassActivities passes,
        WaitActivities waits)
    {
        (_planner, _calls, _settle, _outcomes, _answers, _passes, _waits) = (planner, calls, settle, outcomes, answers, passes, waits);

        InstanceState(task => task.State);

        Event(() => Received, e =>
        {
            e.CorrelateById(context => MessageIdentity.Of(context, context.Message.Id));
            e.InsertOnInitial = true;
            e.SetSagaFactory(IntakeActivities.Read);
        });
        Existing(() => Started, m => m.TaskId);
        Existing(() => Granted, m => m.TaskId);
        Existing(() => MoneyReleased, m => m.TaskId);
        Existing(() => DelayElapsed, m => m.TaskId);
        Existing(() => Finished, m => m.TaskId);
        Existing(() => LeaseRanOut, m => m.TaskId);
        Existing(() => CancelAsked, m => m.TaskId);
        Existing(() => DeadlineReached, m => m.TaskId);

        State[] open =
            [Submitted, Classifying, Extracting, Calling, Critiquing, Revising, WaitingForCapacity, WaitingForBudget, WaitingToRetry];

        Initially(
            When(Received)
                .Then(IntakeActivities.Accept)
                .IfElse(Planned<NextStep.Reject>,
                    refused => refused.Then(EndActivities.Reject).TransitionTo(Rejected),
                    accepted => Plan(accepted)));

        During(Submitted,
            Plan(When(Started)));

        During(Classifying,
            Plan(When(Finished, IsCurrent).Then(_settle.Settle).Then(_outcomes.KeepClassification)),
            Plan(When(LeaseRanOut, IsCurrent).Then(_settle.Abandon).Then(_outcomes.KeepClassification)));

        // Whatever the call is for: what its images show, notes of a part, the answer, and with much at stake its critique and its
        // revision.
        DuringEach([Extracting, Calling, Critiquing, Revising],
            AfterCalling(When(Finished, IsCurrent).Then(_settle.Settle)),
            AfterCalling(When(LeaseRanOut, IsCurrent).Then(_settle.Abandon)));

        During(WaitingForCapacity,
            ToCall(When(Granted, IsCurrent).Then(_calls.OpenGranted)),
            Plan(When(MoneyReleased, IsNotGranted).ThenAsync(_waits.Leave)));

        During(WaitingForBudget,
            Plan(When(MoneyReleased).ThenAsync(_waits.Leave)));

        During(WaitingToRetry,
            Plan(When(DelayElapsed, IsCurrent).ThenAsync(_waits.Leave)));

        // Its owner may cancel it until it has ended; a call on its way is paid for, and its answer comes too late.
        DuringEach(open,
            When(CancelAsked)
                .ThenAsync(_waits.Leave)
                .Then(_calls.CutOff)
                .Then(EndActivities.Cancel)
                .TransitionTo(Canceled));

        // A deadline ends what waits, or makes its draft the answer. A first answer on its way is let come: it is paid for and may still
        // be of use.
        During(Submitted,
            When(DeadlineReached)
                .Then(EndActivities.Expire)
                .TransitionTo(Expired));
        DuringEach([WaitingForCapacity, WaitingForBudget, WaitingToRetry],
            When(DeadlineReached)
                .ThenAsync(_waits.Leave)
                .IfElse(context => TaskTransition.Of(context).HasDraft,
                    drafted => drafted.ThenAsync(_answers.KeepAnswer).TransitionTo(Completed),
                    empty => empty.Then(EndActivities.Expire).TransitionTo(Expired)));
        DuringEach([Critiquing, Revising],
            When(DeadlineReached)
                .Then(_calls.CutOff)
                .ThenAsync(_answers.KeepAnswer)
                .TransitionTo(Completed));

        // A producer's message that comes again finds its task on the way: the command that moves it on may have been lost, so it is sent
        // again.
        DuringEach(open,
            When(Received).Then(IntakeActivities.SendAgain));

        // Late, doubled and overtaken messages change nothing.
        During(Submitted, Ignore(Granted), Ignore(MoneyReleased), Ignore(DelayElapsed), Ignore(Finished), Ignore(LeaseRanOut));
        During(Classifying, Ignore(Started), Ignore(Granted), Ignore(MoneyReleased), Ignore(DelayElapsed), Ignore(DeadlineReached),
            Ignore(Finished, IsOld), Ignore(LeaseRanOut, IsOld));
        DuringEach([Extracting, Calling],
            Ignore(Started), Ignore(Granted), Ignore(MoneyReleased), Ignore(DelayElapsed), Ignore(DeadlineReached),
            Ignore(Finished, IsOld), Ignore(LeaseRanOut, IsOld));
        DuringEach([Critiquing, Revising],
            Ignore(Started), Ignore(Granted), Ignore(MoneyReleased), Ignore(DelayElapsed),
            Ignore(Finished, IsOld), Ignore(LeaseRanOut, IsOld));
        During(WaitingForCapacity, Ignore(Started), Ignore(DelayElapsed), Ignore(Finished), Ignore(LeaseRanOut),
            Ignore(Granted, IsOld), Ignore(MoneyReleased, IsGranted));
        During(WaitingForBudget, Ignore(Started), Ignore(Granted), Ignore(DelayElapsed), Ignore(Finished), Ignore(LeaseRanOut));
        During(WaitingToRetry, Ignore(Started), Ignore(Granted), Ignore(MoneyReleased), Ignore(Finished), Ignore(LeaseRanOut),
            Ignore(DelayElapsed, IsOld));
        DuringEach([Completed, Failed, Rejected, Canceled, Expired],
            Ignore(Received), Ignore(Started), Ignore(Granted), Ignore(MoneyReleased), Ignore(DelayElapsed), Ignore(Finished),
            Ignore(LeaseRanOut), Ignore(CancelAsked), Ignore(DeadlineReached));
    }

    /// <summary>
    /// The row is written and nothing has looked at it. The worker that receives StartTask moves it on; the rescuer sends that command
    /// again. A line of a batch waits here for its portion, and the batch feeder of the leading capacity scheduler sends the command for
    /// it.
    /// </summary>
    public State Submitted { get; private set; } = null!;

    /// <summary>The small model is asked what the task is. The worker that made that call moves it on, whatever the answer.</summary>
    public State Classifying { get; private set; } = null!;

    /// <summary>
    /// What no model could answer as it came is made into text it can: JSON of its images, notes of each part of a prompt too long for
    /// one call. The worker that made that call moves it on.
    /// </summary>
    public State Extracting { get; private set; } = null!;

    /// <summary>A call is open. The worker that claimed it moves the task on; should that worker die, the rescuer does.</summary>
    public State Calling { get; private set; } = null!;

    /// <summary>
    /// Another model reviews the draft, or scores its revision. The worker that made that call moves it on; without a critic the draft is
    /// the answer.
    /// </summary>
    public State Critiquing { get; private set; } = null!;

    /// <summary>
    /// The draft's model writes it anew. The worker that made that call moves it on; the draft stays the answer until the revision is
    /// found no worse.
    /// </summary>
    public State Revising { get; private set; } = null!;

    /// <summary>It waits in a wait queue. The capacity scheduler moves it when a bucket of the queue has capacity for it.</summary>
    public State WaitingForCapacity { get; private set; } = null!;

    /// <summary>
    /// The budget is spent. The capacity scheduler moves it when money comes back, the budget is raised or its next period begins.
    /// </summary>
    public State WaitingForBudget { get; private set; } = null!;

    /// <summary>It backs off after a fault. The capacity scheduler moves it when the delay is over.</summary>
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

    /// <summary>The fork of planning: prepare the next call, ask admission control; then one of seven ways.</summary>
    private EventActivityBinder<TaskRow, T> Plan<T>(EventActivityBinder<TaskRow, T> task) where T : class => task
        .ThenAsync(_planner.Plan)
        .If(Planned<NextStep.Call>, admitted => ToCall(admitted.Then(_calls.Open)))
        .If(Planned<NextStep.AskClassifier>, unsure => unsure.Then(_calls.OpenClassification).TransitionTo(Classifying))
        .If(Planned<NextStep.WaitForCapacity>, full => full.Then(_waits.WaitForCapacity).TransitionTo(WaitingForCapacity))
        .If(Planned<NextStep.WaitForBudget>, spent => spent.Then(_waits.WaitForBudget).TransitionTo(WaitingForBudget))
        .If(Planned<NextStep.Reject>, impossible => impossible.Then(EndActivities.Reject).TransitionTo(Rejected))
        .If(Planned<NextStep.KeepAnswer>, enough => enough.ThenAsync(_answers.KeepAnswer).TransitionTo(Completed))
        .If(Planned<NextStep.Fail>, lost => lost.Then(EndActivities.Fail).TransitionTo(Failed));

    /// <summary>A call is open; the state says what for.</summary>
    private EventActivityBinder<TaskRow, T> ToCall<T>(EventActivityBinder<TaskRow, T> opened) where T : class => opened
        .If(IsCalledIn<T>(TaskStates.Extracting), material => material.TransitionTo(Extracting))
        .If(IsCalledIn<T>(TaskStates.Calling), answer => answer.TransitionTo(Calling))
        .If(IsCalledIn<T>(TaskStates.Critiquing), critique => critique.TransitionTo(Critiquing))
        .If(IsCalledIn<T>(TaskStates.Revising), revision => revision.TransitionTo(Revising));

    /// <summary>The fork after a call: an answer, another pass, another try, a pause or the end.</summary>
    private EventActivityBinder<TaskRow, T> AfterCalling<T>(EventActivityBinder<TaskRow, T> task) where T : class => task
        .Then(_outcomes.DecideFollowUp)
        .Then(_answers.TakeAnswer)
        .If(Follows<AfterCall.Complete>, answered => answered.Then(EndActivities.Complete).TransitionTo(Completed))
        .If(Follows<AfterCall.KeepAnswer>, enough => enough.ThenAsync(_answers.KeepAnswer).TransitionTo(Completed))
        .If(Follows<AfterCall.BackOff>, faulted => faulted.Then(_waits.BackOff).TransitionTo(WaitingToRetry))
        .If(Follows<AfterCall.Fail>, lost => lost.Then(EndActivities.Fail).TransitionTo(Failed))
        .If(Follows<AfterCall.BeginPass>, more => Plan(more.ThenAsync(_passes.Begin)))
        .If(Follows<AfterCall.PlanAgain>, again => Plan(again));

    private void DuringEach(State[] states, params EventActivities<TaskRow>[] activities)
    {
        foreach (var state in states)
            During(state, activities);
    }

    private void Existing<T>(System.Linq.Expressions.Expression<Func<Event<T>>> name, Func<T, Guid> task) where T : class =>
        Event(name, e =>
        {
            e.CorrelateById(context => task(context.Message));
            // A command for a task that the pruner has removed, or that never was.
            e.OnMissingInstance(missing => missing.Discard());
        });

    private static bool Planned<TStep>(BehaviorContext<TaskRow> context) where TStep : NextStep =>
        TaskTransition.Of(context).Next is TStep;

    private static bool Follows<TStep>(BehaviorContext<TaskRow> context) where TStep : AfterCall =>
        TaskTransition.Of(context).AfterCall is TStep;

    private static StateMachineCondition<TaskRow, T> IsCalledIn<T>(string state) where T : class =>
        context => TaskPasses.StateOf(context.Saga.Pass.Name) == state;

    // A message about another attempt than the open one is old. A grant is for the attempt that is opened on it.
    private static bool IsCurrent(BehaviorContext<TaskRow, CallFinished> context) => context.Message.Attempt == context.Saga.Attempt;

    private static bool IsCurrent(BehaviorContext<TaskRow, LeaseExpired> context) => context.Message.Attempt == context.Saga.Attempt;

    private static bool IsCurrent(BehaviorContext<TaskRow, RetryDelayElapsed> context) => context.Message.Attempt == context.Saga.Attempt;

    private static bool IsCurrent(BehaviorContext<TaskRow, CapacityGranted> context) =>
        context.Saga.Wait.GrantedAt is not null && context.Message.Attempt == context.Saga.Attempt + 1;

    private static bool IsOld(BehaviorContext<TaskRow, CallFinished> context) => !IsCurrent(context);

    private static bool IsOld(BehaviorContext<TaskRow, LeaseExpired> context) => !IsCurrent(context);

    private static bool IsOld(BehaviorContext<TaskRow, RetryDelayElapsed> context) => !IsCurrent(context);

    private static bool IsOld(BehaviorContext<TaskRow, CapacityGranted> context) => !IsCurrent(context);

    private static bool IsGranted(BehaviorContext<TaskRow> context) => context.Saga.Wait.GrantedAt is not null;

    private static bool IsNotGranted(BehaviorContext<TaskRow> context) => !IsGranted(context);
}
