using LlmQueue.Contracts;
using LlmQueue.Storage.Summaries;
using LlmQueue.Worker.Lifecycle;
using MassTransit;

namespace LlmQueue.Worker.PageSummaries;

/// <summary>
/// The life of a set of pages: plan, pages in parallel, merges in a tree until they fit one call, synthesis, answer. Each stage is a number of ordinary tasks
/// in the ordinary lines; the commit that ends the last of them rings StageSettled.
/// </summary>
public sealed class SummaryStateMachine : MassTransitStateMachine<SummaryRow>
{
    public SummaryStateMachine(SummaryDesk desk, TimeProvider clock)
    {
        InstanceState(summary => summary.State);

        Event(() => Received, e =>
        {
            e.CorrelateById(context => MessageIdentity.Of(context, context.Message.Id));
            e.InsertOnInitial = true;
            e.SetSagaFactory(context => desk.TakeIn(context, clock.GetUtcNow().UtcDateTime));
        });
        Event(() => Started, e => { e.CorrelateById(c => c.Message.SummaryId); e.OnMissingInstance(m => m.Discard()); });
        Event(() => StageEnded, e => { e.CorrelateById(c => c.Message.SummaryId); e.OnMissingInstance(m => m.Discard()); });
        Event(() => DeadlineNears, e => { e.CorrelateById(c => c.Message.SummaryId); e.OnMissingInstance(m => m.Discard()); });
        Event(() => CancelAsked, e => { e.CorrelateById(c => c.Message.SummaryId); e.OnMissingInstance(m => m.Discard()); });

        Initially(
            When(Received)
                .Then(desk.Accept)
                .IfElse(desk.Decided<SummaryStep.GiveUp>,
                    refused => refused.ThenAsync(desk.Fail).TransitionTo(Failed),
                    accepted => accepted.TransitionTo(Submitted)));

        During(Submitted, Next(When(Started).ThenAsync(desk.DecideFirst), desk));
        During(Planning, Next(When(StageEnded, desk.IsCurrent).ThenAsync(desk.DecideAfterPlan), desk));
        During(SummarizingPages, Next(When(StageEnded, desk.IsCurrent).ThenAsync(desk.DecideAfterSummaries), desk));
        During(Merging, Next(When(StageEnded, desk.IsCurrent).ThenAsync(desk.DecideAfterSummaries), desk));
        During(Synthesizing, Next(When(StageEnded, desk.IsCurrent).ThenAsync(desk.DecideAfterSynthesis), desk));
        During(Answering, Next(When(StageEnded, desk.IsCurrent).ThenAsync(desk.DecideAfterAnswer), desk));

        foreach (var open in new[] { Submitted, Planning, SummarizingPages, Merging, Synthesizing, Answering })
        {
            During(open, When(CancelAsked).ThenAsync(desk.Cancel).TransitionTo(Canceled));
            // A result in time, of what there is, is worth more than a better one too late.
            During(open, InTime(When(DeadlineNears, desk.IsNear).ThenAsync(desk.DecideInTime).ThenAsync(desk.CancelTasks), desk), Ignore(DeadlineNears, desk.IsNotNear));
        }

        // Doubled and late bells change nothing; a producer's message that comes again rings for its summary.
        During(Submitted, When(Received).Then(desk.RingAgain), Ignore(StageEnded));
        foreach (var open in new[] { Planning, SummarizingPages, Merging, Synthesizing, Answering })
            During(open, Ignore(Received), Ignore(Started), Ignore(StageEnded, desk.IsOld));
        foreach (var end in new[] { Completed, Failed, Canceled })
            During(end, Ignore(Received), Ignore(Started), Ignore(StageEnded), Ignore(DeadlineNears), Ignore(CancelAsked));
    }

    /// <summary>The rows are written. The worker that answers StartSummary moves it on; the Rescuer rings again.</summary>
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
    private EventActivityBinder<SummaryRow, T> InTime<T>(EventActivityBinder<SummaryRow, T> summary, SummaryDesk desk) where T : class => summary
        .If(desk.Decided<SummaryStep.Finish>, step => step.ThenAsync(desk.Complete).TransitionTo(Completed))
        .If(desk.Decided<SummaryStep.GiveUp>, step => step.ThenAsync(desk.Fail).TransitionTo(Failed));

    /// <summary>The fork between stages: each opens its tasks and waits for the last of them.</summary>
    private EventActivityBinder<SummaryRow, T> Next<T>(EventActivityBinder<SummaryRow, T> summary, SummaryDesk desk) where T : class => summary
        .If(desk.Decided<SummaryStep.Plan>, step => step.Then(desk.OpenStage).TransitionTo(Planning))
        .If(desk.Decided<SummaryStep.SummarizePages>, step => step.Then(desk.OpenStage).TransitionTo(SummarizingPages))
        .If(desk.Decided<SummaryStep.Merge>, step => step.Then(desk.OpenStage).TransitionTo(Merging))
        .If(desk.Decided<SummaryStep.Synthesize>, step => step.Then(desk.OpenStage).TransitionTo(Synthesizing))
        .If(desk.Decided<SummaryStep.Answer>, step => step.Then(desk.OpenStage).TransitionTo(Answering))
        .If(desk.Decided<SummaryStep.Finish>, step => step.ThenAsync(desk.Complete).TransitionTo(Completed))
        .If(desk.Decided<SummaryStep.GiveUp>, step => step.ThenAsync(desk.Fail).TransitionTo(Failed));
}
