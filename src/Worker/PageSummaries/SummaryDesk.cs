using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Store;
using LlmQueue.Store.Catalogue;
using LlmQueue.Store.Commits;
using LlmQueue.Store.Intake;
using LlmQueue.Store.Rows;
using LlmQueue.Worker.Admission;
using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Worker.PageSummaries;

/// <summary>Does what the summary's machine says: reads what the stages gave, decides what is next, opens its tasks.</summary>
public sealed class SummaryDesk(SummaryPools pools, SummaryStages stages, IDbContextFactory<QueueDb> contexts)
{
    public SummaryRow TakeIn(ConsumeContext<SummarizePages> context, DateTime now)
    {
        var taken = SummaryIntake.Read(context.Message, Lifecycle.MessageIdentity.Of(context, context.Message.Id), tenant: null, now);
        context.GetPayload<Transition>().Decision = taken;
        return taken.Row;
    }

    public void Accept(BehaviorContext<SummaryRow, SummarizePages> context)
    {
        var (summary, transition) = (context.Saga, Of(context));
        var taken = (SummaryTakenIn)transition.Decision!;
        transition.Payloads.AddRange(taken.Pages);
        transition.Record(summary.CorrelationId, "Submitted", SummaryStates.Submitted, $"{summary.Pages} pages");
        transition.Decision = taken.Refusal is { } refusal ? new SummaryStep.GiveUp(refusal) : null;
        if (taken.Refusal is null)
            transition.Ring(new StartSummary(summary.CorrelationId));
    }

    public bool Decided<TStep>(BehaviorContext<SummaryRow> context) => Of(context).Decision is TStep;

    public bool IsCurrent(BehaviorContext<SummaryRow, StageSettled> context) => context.Message.Stage == context.Saga.Stage;

    public bool IsOld(BehaviorContext<SummaryRow, StageSettled> context) => !IsCurrent(context);

    public void RingAgain(BehaviorContext<SummaryRow, SummarizePages> context) => Of(context).Ring(new StartSummary(context.Saga.CorrelationId));

    // ---- What is next ----

    public async Task DecideFirst<T>(BehaviorContext<SummaryRow, T> context) where T : class
    {
        var (summary, transition) = (context.Saga, Of(context));
        if (pools.Pages(Today(transition)).Count == 0)
            transition.Decision = new SummaryStep.GiveUp("No model of the summary pool can be called: none of its providers has a key. Set a key, or name models in GROQ_SUMMARY_MODELS or OPENAI_SUMMARY_MODELS.");
        else if (summary.Question is null)
            transition.Decision = await stages.Pages(summary, guide: null, transition.Now);
        else
            transition.Decision = await stages.Plan(summary, transition.Now);
    }

    /// <summary>The plan helps; without one the pages are read all the same.</summary>
    public async Task DecideAfterPlan<T>(BehaviorContext<SummaryRow, T> context) where T : class
    {
        var (summary, transition) = (context.Saga, Of(context));
        var plan = await stages.AnswersOf(summary, SummaryRoles.Plan);
        var guide = plan.Count == 1 ? plan[0].Text : null;
        transition.Record(summary.CorrelationId, "Planned", SummaryStates.Planning, guide is null ? "no plan could be made; the pages are read without one" : null);
        transition.Decision = await stages.Pages(summary, guide, transition.Now);
    }

    public async Task DecideAfterSummaries<T>(BehaviorContext<SummaryRow, T> context) where T : class
    {
        var (summary, transition) = (context.Saga, Of(context));
        var texts = await stages.TextsToCondense(summary);
        transition.Decision = texts.Count == 0
            ? new SummaryStep.GiveUp(await stages.WhyNoPage(summary))
            : stages.Condense(summary, texts, transition.Now);
    }

    public async Task DecideAfterSynthesis<T>(BehaviorContext<SummaryRow, T> context) where T : class
    {
        var (summary, transition) = (context.Saga, Of(context));
        var synthesis = await stages.AnswersOf(summary, SummaryRoles.Synthesis);
        if (synthesis.Count == 0)
        {
            transition.Decision = new SummaryStep.GiveUp($"The summary of the whole could not be written: {await stages.WhyFailed(summary, SummaryRoles.Synthesis)} The pages' summaries are kept.");
            return;
        }

        transition.Payloads.Add(new PayloadRow { SubjectId = summary.CorrelationId, Part = "summary", Content = synthesis[0].Text });
        transition.Decision = summary.Question is null ? new SummaryStep.Finish(await stages.WhatIsMissing(summary)) : stages.Answer(summary, synthesis[0].Text, transition.Now);
    }

    public async Task DecideAfterAnswer<T>(BehaviorContext<SummaryRow, T> context) where T : class
    {
        var (summary, transition) = (context.Saga, Of(context));
        var answer = await stages.AnswersOf(summary, SummaryRoles.Answer);
        if (answer.Count > 0)
            transition.Payloads.Add(new PayloadRow { SubjectId = summary.CorrelationId, Part = "answer", Content = answer[0].Text });
        var missing = await stages.WhatIsMissing(summary);
        transition.Decision = new SummaryStep.Finish(answer.Count > 0 ? missing : $"The question could not be answered: {await stages.WhyFailed(summary, SummaryRoles.Answer)} {missing}".Trim());
    }

    // ---- What is done ----

    /// <summary>Writes the stage's tasks in the same commit that opens it, and rings for each.</summary>
    public void OpenStage<T>(BehaviorContext<SummaryRow, T> context) where T : class
    {
        var (summary, transition) = (context.Saga, Of(context));
        var step = (SummaryStep)transition.Decision!;
        summary.Stage++;
        foreach (var (row, messages) in step.Tasks.Select(t => (t.Row, t.Messages)))
        {
            transition.Born.Add(row);
            if (row.EndedAt is null)
            {
                transition.Payloads.Add(new PayloadRow { SubjectId = row.CorrelationId, Part = PayloadRow.Prompt, Content = JsonSerializer.Serialize(messages, Transition.Json) });
                transition.Ring(new StartTask(row.CorrelationId));
            }

            transition.Record(row.CorrelationId, row.State, row.State, row.FailureReason);
        }

        summary.StageTasks = summary.OpenTasks = step.Tasks.Count(t => t.Row.EndedAt is null);
        summary.RungAt = transition.Now;
        transition.Record(summary.CorrelationId, step.GetType().Name, step.GetType().Name, $"{summary.StageTasks} tasks");
    }

    public async Task Complete<T>(BehaviorContext<SummaryRow, T> context) where T : class
    {
        var (summary, transition) = (context.Saga, Of(context));
        summary.FailureReason = ((SummaryStep.Finish)transition.Decision!).Reason;
        await End(summary, transition, SummaryStates.Completed);
    }

    public async Task Fail<T>(BehaviorContext<SummaryRow, T> context) where T : class
    {
        var (summary, transition) = (context.Saga, Of(context));
        summary.FailureReason = ((SummaryStep.GiveUp)transition.Decision!).Reason;
        await End(summary, transition, SummaryStates.Failed);
    }

    public async Task Cancel(BehaviorContext<SummaryRow, CancelSummary> context)
    {
        var (summary, transition) = (context.Saga, Of(context));
        summary.FailureReason = "canceled by its owner";
        await using var db = await contexts.CreateDbContextAsync();
        foreach (var task in await db.Tasks.AsNoTracking().Where(t => t.SummaryId == summary.CorrelationId && t.EndedAt == null).Select(t => t.CorrelationId).ToListAsync())
            transition.Ring(new CancelTask(task));
        await End(summary, transition, SummaryStates.Canceled);
    }

    private async Task End(SummaryRow summary, Transition transition, string state)
    {
        summary.EndedAt = transition.Now;
        transition.Record(summary.CorrelationId, state, state, summary.FailureReason);
        var texts = transition.Payloads.ToDictionary(p => p.Part, p => p.Content, StringComparer.Ordinal);
        transition.Announce(await stages.Result(summary, state, texts.GetValueOrDefault("summary"), texts.GetValueOrDefault("answer"), transition.Now));
    }

    private static DateOnly Today(Transition transition) => DateOnly.FromDateTime(transition.Now);

    private static Transition Of(PipeContext context) => context.GetPayload<Transition>();
}
