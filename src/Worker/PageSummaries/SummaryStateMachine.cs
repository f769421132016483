using LlmQueue.Contracts;
using LlmQueue.Storage.Sagas;
using LlmQueue.Storage.Summaries;
using MassTransit;

namespace LlmQueue.Worker.PageSummaries;

/// <summary>
/// The life of a set of pages: plan, pages in parallel, merges in a tree until they fit one call, synthesis, answer. Each stage is a
/// number of ordinary tasks
/// in the ordinary wait queues; the commit that ends the last of them sends StageSettled.
/// </summary>
public sealed class SummaryStateMachine : MassTransitStateMachine<SummaryRow>
{
    private readonly SummaryPlanner _planner;
    private readonly StageActivities _stages;
    private readonly SummaryEndActivities _ends;

    public SummaryStateMachine(SummaryPlanner planner, StageActivities stages, SummaryEndActivities ends)
    {
        (_planner, _stages, _ends) = (planner, stages, ends);

        InstanceState(summary => summary.State);

        Event(() => Received, e =>
        {
            e.CorrelateById(context => MessageIdentity.Of(context, context.Message.Id));
            e.InsertOnInitial = true;
            e.SetSagaFactory(SummaryIntakeActivities.Read);
        });
        Event(() => Started, e => { e.CorrelateById(c => c.Message.SummaryId); e.OnMissingInstance(m => m.Discard()); });
        Event(() => StageEnded, e => { e.CorrelateById(c => c.Message.SummaryId); e.OnMissingInstance(m => m.Discard()); });
        Event(() => DeadlineNears, e => { e.CorrelateById(c => c.Message.SummaryId); e.OnMissingInstance(m => m.Discard()); });
        Event(() => CancelAsked, e => { e.CorrelateById(c => c.Message.SummaryId); e.OnMissingInstance(m => m.Discard()); });

        Initially(
            When(Received)
                .Then(SummaryIntakeActivities.Accept)
                .IfElse(Planned<SummaryStep.GiveUp>,
                    refused => refused.ThenAsync(_ends.Fail).TransitionTo(Failed),
                    accepted => accepted.TransitionTo(Submitted)));

        During(Submitted, Next(When(Started).ThenAsync(_planner.First)));
        During(Planning, Next(When(StageEnded, IsCurrent).ThenAsync(_planner.AfterPlan)));
        During(SummarizingPages, Next(When(StageEnded, IsCurrent).ThenAsync(_planner.AfterSummaries)));
        During(Merging, Next(When(StageEnded, IsCurrent).ThenAsync(_planner.AfterSummaries)));
        During(Synthesizing, Next(When(StageEnded, IsCurrent).ThenAsync(_planner.AfterSynthesis)));
        During(Answering, Next(When(StageEnded, IsCurrent).ThenAsync(_planner.AfterAnswer)));

        foreach (var open in new[] { Submitted, Planning, SummarizingPages, Merging, Synthesizing, Answering })
        {
            During(open, When(CancelAsked).ThenAsync(_stages.CancelTasks).ThenAsync(_ends.Cancel).TransitionTo(Canceled));
            // A result in time, of what there is, is worth more than a better one too late.
            During(open,
                InTime(When(DeadlineNears, IsNear).ThenAsync(_planner.AtDeadline).ThenAsync(_stages.CancelTasks)),
                Ignore(DeadlineNears, IsNotNear));
        }

        // Doubled and late commands change nothing; a producer's message that comes again sends the command for its summary again.
        During(Submitted, When(Received).Then(SummaryIntakeActivities.SendAgain), Ignore(StageEnded));
        foreach (var open in new[] { Planning, SummarizingPages, Merging, Synthesizing, Answering })
            During(open, Ignore(Received), Ignore(Started), Ignore(StageEnded, IsOld));
        foreach (var end in new[] { Completed, Failed, Canceled })
            During(end, Ignore(Received), Ignore(Started), Ignore(StageEnded), Ignore(DeadlineNears), Ignore(CancelAsked));
    }

    /// <summary>The rows are written. The worker that receives StartSummary moves it on; the rescuer sends that command again.</summary>
    public State Submitted { get; private set; } = null!;

    /// <summary>The caller's model turns the question into a reading guide. The end of that task moves it on.</summary>
    public State Planning { get; private set; } = null!;

    /// <summary>The pages are being summarised over the pool. The end of the last page moves it on.</summary>
    public State SummarizingPages { get; private set; } = null!;

    /// <summary>The summaries do not fit one call yet and are merged in groups. The end of the last group moves it on.</summary>
    public State Merging { get; private set; } = null!;

    /// <summary>One summary of the whole is being written. The end of that task moves it on.</summary>
    public State Synthesizing { get; private set; } = null!;

    /// <summary>The question is being answered on the caller's model. The end of that task moves it on.</summary>
    public State Answering { get; private set; } = null!;

    /// <summary>The result is there; nobody moves it.</summary>
    public State Completed { get; private set; } = null!;

    /// <summary>No result could be made; what pages gave is kept. Nobody moves it.</summary>
    public State Failed { get; private set; } = null!;

    /// <summary>Its owner wants it no more; nobody moves it.</summary>
    public State Canceled { get; private set; } = null!;

    public Event<SummarizePages> Received { get; private set; } = null!;
    public Event<StartSummary> Started { get; private set; } = null!;
    public Event<StageSettled> StageEnded { get; private set; } = null!;
    public Event<SummaryDeadlineNears> DeadlineNears { get; private set; } = null!;
    public Event<CancelSummary> CancelAsked { get; private set; } = null!;

    /// <summary>The fork of a deadline: what there is, or nothing.</summary>
    private EventActivityBinder<SummaryRow, T> InTime<T>(EventActivityBinder<SummaryRow, T> summary) where T : class => summary
        .If(Planned<SummaryStep.Finish>, step => step.ThenAsync(_ends.Complete).TransitionTo(Completed))
        .If(Planned<SummaryStep.GiveUp>, step => step.ThenAsync(_ends.Fail).TransitionTo(Failed));

    /// <summary>The fork between stages: each opens its tasks and waits for the last of them.</summary>
    private EventActivityBinder<SummaryRow, T> Next<T>(EventActivityBinder<SummaryRow, T> summary) where T : class => summary
        .If(Planned<SummaryStep.Plan>, step => step.Then(_stages.Open).TransitionTo(Planning))
        .If(Planned<SummaryStep.SummarizePages>, step => step.Then(_stages.Open).TransitionTo(SummarizingPages))
        .If(Planned<SummaryStep.Merge>, step => step.Then(_stages.Open).TransitionTo(Merging))
        .If(Planned<SummaryStep.Synthesize>, step => step.Then(_stages.Open).TransitionTo(Synthesizing))
        .If(Planned<SummaryStep.Answer>, step => step.Then(_stages.Open).TransitionTo(Answering))
        .If(Planned<SummaryStep.Finish>, step => step.ThenAsync(_ends.Complete).TransitionTo(Completed))
        .If(Planned<SummaryStep.GiveUp>, step => step.ThenAsync(_ends.Fail).TransitionTo(Failed));

    private static bool Planned<TStep>(BehaviorContext<SummaryRow> context) where TStep : SummaryStep =>
        SummaryTransition.Of(context).Next is TStep;

    private static bool IsCurrent(BehaviorContext<SummaryRow, StageSettled> context) => context.Message.Stage == context.Saga.Stage;

    private static bool IsOld(BehaviorContext<SummaryRow, StageSettled> context) => !IsCurrent(context);

    /// <summary>It is late enough for the result to be made of what there is; a command of another moment changes nothing.</summary>
    private static bool IsNear(BehaviorContext<SummaryRow> context) =>
        SummaryTransition.Of(context).Now >= DeadlineRule.FinishBy(context.Saga);

    private static bool IsNotNear(BehaviorContext<SummaryRow> context) => !IsNear(context);
}
