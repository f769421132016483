using System.Diagnostics.Metrics;
using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Hosting.Telemetry;
using LlmQueue.Storage;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Lifecycle;
using LlmQueue.Worker.PageSummaries.Extraction;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.PageSummaries;

/// <summary>Does what the summary's machine says: reads what the stages gave, decides what is next, opens its tasks.</summary>
public sealed class SummaryDesk(SummaryPools pools, SummaryStages stages, SummaryReadings readings, PageExtracts extracts, SummaryResults results, SummaryDeadlines deadlines, IDbContextFactory<QueueDb> contexts, ILogger<SummaryDesk> logger)
{
    private static readonly Meter Meter = new(QueueMetrics.MeterName);
    private static readonly Counter<long> PagesByModel = Meter.CreateCounter<long>("llmqueue.summary.pages", "{page}", "Pages of summaries that have ended, by the model that wrote them, or extract, failed, …");

    private const string NoSynthesis = "The summary of the whole is an extract of its pages' summaries, because no model wrote one:";

    public SummaryRow TakeIn(ConsumeContext<SummarizePages> context, DateTime now)
    {
        var taken = SummaryIntake.Read(context.Message, MessageIdentity.Of(context, context.Message.Id), tenant: null, now);
        context.GetPayload<UnitOfWork>().Decision = taken;
        return taken.Row;
    }

    public void Accept(BehaviorContext<SummaryRow, SummarizePages> context)
    {
        var (summary, transition) = (context.Saga, Of(context));
        var taken = (AcceptedSummary)transition.Decision!;
        transition.Payloads.AddRange(taken.Pages);
        transition.Record(summary.CorrelationId, "Submitted", SummaryStates.Submitted, $"{summary.Pages} pages");
        transition.Decision = taken.Refusal is { } refusal ? new SummaryStep.GiveUp(refusal) : null;
        if (taken.Refusal is null)
            transition.Send(new StartSummary(summary.CorrelationId));
    }

    public bool Decided<TStep>(BehaviorContext<SummaryRow> context) => Of(context).Decision is TStep;

    public bool IsCurrent(BehaviorContext<SummaryRow, StageSettled> context) => context.Message.Stage == context.Saga.Stage;

    public bool IsOld(BehaviorContext<SummaryRow, StageSettled> context) => !IsCurrent(context);

    /// <summary>It is late enough for the result to be made of what there is; a bell of another moment changes nothing.</summary>
    public bool IsNear(BehaviorContext<SummaryRow, SummaryDeadlineNears> context) => Of(context).Now >= DeadlineRule.FinishBy(context.Saga);

    public bool IsNotNear(BehaviorContext<SummaryRow, SummaryDeadlineNears> context) => !IsNear(context);

    public void RingAgain(BehaviorContext<SummaryRow, SummarizePages> context) => Of(context).Send(new StartSummary(context.Saga.CorrelationId));

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
        var plan = await readings.AnswersOf(summary, SummaryRoles.Plan);
        var guide = plan.Count == 1 ? plan[0].Text : null;
        transition.Record(summary.CorrelationId, "Planned", SummaryStates.Planning, guide is null ? "no plan could be made; the pages are read without one" : null);
        transition.Decision = await stages.Pages(summary, guide, transition.Now);
    }

    public async Task DecideAfterSummaries<T>(BehaviorContext<SummaryRow, T> context) where T : class
    {
        var (summary, transition) = (context.Saga, Of(context));
        var texts = summary.State == SummaryStates.SummarizingPages ? await readings.PageTexts(summary, await ExtractPages(summary, transition, noTimeLeft: false)) : await readings.MergedTexts(summary);
        transition.Decision = texts.Count == 0
            ? new SummaryStep.GiveUp(await readings.WhyNoPage(summary))
            : stages.Condense(summary, texts, transition.Now);
    }

    public async Task DecideAfterSynthesis<T>(BehaviorContext<SummaryRow, T> context) where T : class
    {
        var (summary, transition) = (context.Saga, Of(context));
        var synthesis = await readings.AnswersOf(summary, SummaryRoles.Synthesis);
        var whole = synthesis.Count > 0 ? Keep(summary, transition, PayloadRow.Summary, synthesis[0].Text) : await ExtractWhole(summary, transition, []);
        var missing = await results.WhatIsMissing(summary, transition);
        transition.Decision = summary.Question is not null ? stages.Answer(summary, whole, transition.Now)
            : new SummaryStep.Finish(synthesis.Count > 0 ? missing : $"{NoSynthesis} {await readings.WhyFailed(summary, SummaryRoles.Synthesis)} {missing}".Trim());
    }

    public async Task DecideAfterAnswer<T>(BehaviorContext<SummaryRow, T> context) where T : class
    {
        var (summary, transition) = (context.Saga, Of(context));
        var answer = await readings.AnswersOf(summary, SummaryRoles.Answer);
        if (answer.Count > 0)
            Keep(summary, transition, PayloadRow.Answer, answer[0].Text);
        var missing = await results.WhatIsMissing(summary, transition);
        transition.Decision = new SummaryStep.Finish(answer.Count > 0 ? missing : $"The question could not be answered: {await readings.WhyFailed(summary, SummaryRoles.Answer)} {missing}".Trim());
    }

    /// <summary>The deadline is near: no more is waited for. What models wrote is in the result, extracts stand in for the rest.</summary>
    public async Task DecideInTime(BehaviorContext<SummaryRow, SummaryDeadlineNears> context)
    {
        var (summary, transition) = (context.Saga, Of(context));
        var texts = await readings.PageTexts(summary, await ExtractPages(summary, transition, noTimeLeft: true));
        if (texts.Count == 0)
        {
            transition.Decision = new SummaryStep.GiveUp(await readings.WhyNoPage(summary));
            return;
        }

        // While the question is being answered, the summary of the whole is there.
        var synthesized = summary.State == SummaryStates.Answering;
        if (!synthesized)
            await ExtractWhole(summary, transition, texts);
        var why = $"The deadline {summary.Deadline:yyyy-MM-dd HH:mm:ss} UTC was near, so the result was made of what there was{(synthesized ? "" : "; the summary of the whole is an extract of its pages' summaries")}{(summary.Question is null ? "" : "; the question was not answered")}.";
        transition.Decision = new SummaryStep.Finish($"{why} {await results.WhatIsMissing(summary, transition)}".Trim());
    }

    private async Task<List<PageExtract>> ExtractPages(SummaryRow summary, UnitOfWork transition, bool noTimeLeft)
    {
        var taken = (await extracts.Taken(summary.CorrelationId, transition)).Select(e => e.Number).ToHashSet();
        var made = await extracts.Make(summary, noTimeLeft, pools.NoneIsLeft(Today(transition), transition.Now));
        var fresh = made.FindAll(e => !taken.Contains(e.Number));
        PageExtracts.Keep(summary, transition, fresh);
        if (fresh.Count > 0)
            transition.Record(summary.CorrelationId, "Extracted", summary.State, $"{fresh.Count} pages, the first because {fresh[0].Reason}");
        return made;
    }

    private async Task<string> ExtractWhole(SummaryRow summary, UnitOfWork transition, IReadOnlyList<string> texts)
    {
        var pages = texts.Count > 0 ? texts : await readings.PageTexts(summary, await extracts.Taken(summary.CorrelationId, transition));
        transition.Record(summary.CorrelationId, "Extracted", summary.State, "the summary of the whole");
        return Keep(summary, transition, PayloadRow.ExtractedSummary, PageExtracts.Whole(pages, summary.Question));
    }

    private static string Keep(SummaryRow summary, UnitOfWork transition, string part, string text)
    {
        transition.Payloads.Add(new PayloadRow { SubjectId = summary.CorrelationId, Part = part, Content = text });
        return text;
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
            var task = row.EndedAt is null
                ? SubmittedTask.Create(row, JsonSerializer.Serialize(messages, UnitOfWork.Json), transition.Now)
                : SubmittedTask.CreateRejected(row, row.FailureReason, error: null, transition.Now);
            task.AddTo(transition);
        }

        summary.StageTasks = summary.OpenTasks = step.Tasks.Count(t => t.Row.EndedAt is null);
        summary.RungAt = transition.Now;
        deadlines.Note(summary);
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
        await CancelTasks(summary, transition);
        await End(summary, transition, SummaryStates.Canceled);
    }

    /// <summary>What is still open is of no use any more.</summary>
    public Task CancelTasks<T>(BehaviorContext<SummaryRow, T> context) where T : class => CancelTasks(context.Saga, Of(context));

    private async Task CancelTasks(SummaryRow summary, UnitOfWork transition)
    {
        await using var db = await contexts.CreateDbContextAsync();
        foreach (var task in await db.Tasks.AsNoTracking().Where(t => t.SummaryId == summary.CorrelationId && t.EndedAt == null).Select(t => t.CorrelationId).ToListAsync())
        {
            transition.Cancellations.Add(task);
            transition.Send(new CancelTask(task));
        }
    }

    private async Task End(SummaryRow summary, UnitOfWork transition, string state)
    {
        summary.EndedAt = transition.Now;
        transition.Record(summary.CorrelationId, state, state, summary.FailureReason);
        var result = await results.Of(summary, state, transition);
        transition.Publish(result);
        transition.WhenCommitted += () => TellDistribution(result);
    }

    /// <summary>Who wrote the pages, for people and for metrics.</summary>
    private void TellDistribution(PagesSummarized result)
    {
        var byModel = result.Pages.Select(p => p.State == PageStates.Extracted ? "extract" : p.Model ?? p.State.ToLowerInvariant()).SelectMany(m => m.Split(", "))
            .CountBy(m => m).OrderByDescending(m => m.Value).ThenBy(m => m.Key, StringComparer.Ordinal).ToList();
        foreach (var (model, pages) in byModel)
            PagesByModel.Add(pages, new KeyValuePair<string, object?>("llm.model", model));
        logger.LogInformation("Summary {Id} is {State}: {Pages} pages, {Distribution}", result.SummaryId, result.State, result.Pages.Count, string.Join(", ", byModel.Select(m => $"{m.Value} {m.Key}")));
    }

    private static DateOnly Today(UnitOfWork transition) => DateOnly.FromDateTime(transition.Now);

    private static UnitOfWork Of(PipeContext context) => context.GetPayload<UnitOfWork>();
}
