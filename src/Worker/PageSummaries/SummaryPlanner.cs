using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.PageSummaries.Pages;
using MassTransit;

namespace LlmQueue.Worker.PageSummaries;

/// <summary>Reads what the stages of a summary gave and decides which is next.</summary>
public sealed class SummaryPlanner(
    SummaryPools pools,
    SummaryStages stages,
    SummaryReadings readings,
    PageExtracts extracts,
    SummaryResults results)
{
    private const string NoSynthesis = "The summary of the whole is an extract of its pages' summaries, because no model wrote one:";

    public async Task First(BehaviorContext<SummaryRow> context)
    {
        var transition = SummaryTransition.Of(context);
        var summary = transition.Summary;
        if (pools.Pages(transition.Today).Count == 0)
            transition.Next = new SummaryStep.GiveUp("No model of the summary pool can be called: none of its providers has a key. "
                + "Set a key, or name models in GROQ_SUMMARY_MODELS or OPENAI_SUMMARY_MODELS.");
        else if (summary.Question is null)
            transition.Next = await stages.Pages(summary, guide: null, transition.Now);
        else
            transition.Next = await stages.Plan(summary, transition.Now);
    }

    /// <summary>The plan helps; without one the pages are read all the same.</summary>
    public async Task AfterPlan(BehaviorContext<SummaryRow> context)
    {
        var transition = SummaryTransition.Of(context);
        var plan = await readings.AnswersOf(transition.Summary, SummaryRoles.Plan);
        var guide = plan.Count == 1 ? plan[0].Text : null;
        transition.Record("Planned", guide is null ? "no plan could be made; the pages are read without one" : null);
        transition.Next = await stages.Pages(transition.Summary, guide, transition.Now);
    }

    public async Task AfterSummaries(BehaviorContext<SummaryRow> context)
    {
        var transition = SummaryTransition.Of(context);
        var summary = transition.Summary;
        var texts = summary.State == SummaryStates.SummarizingPages
            ? await readings.PageTexts(summary, await ExtractPages(transition, noTimeLeft: false))
            : await readings.MergedTexts(summary);
        transition.Next = texts.Count == 0
            ? new SummaryStep.GiveUp(await readings.WhyNoPage(summary))
            : stages.Condense(summary, texts, transition.Now);
    }

    public async Task AfterSynthesis(BehaviorContext<SummaryRow> context)
    {
        var transition = SummaryTransition.Of(context);
        var summary = transition.Summary;
        var synthesis = await readings.AnswersOf(summary, SummaryRoles.Synthesis);
        var whole = synthesis.Count > 0 ? transition.AddPayload(PayloadRow.Summary, synthesis[0].Text) : await ExtractWhole(transition, []);
        var missing = await results.WhatIsMissing(summary, transition.Work);
        if (summary.Question is not null)
            transition.Next = stages.Answer(summary, whole, transition.Now);
        else if (synthesis.Count > 0)
            transition.Next = new SummaryStep.Finish(missing);
        else
            transition.Next = new SummaryStep.Finish(
                $"{NoSynthesis} {await readings.WhyFailed(summary, SummaryRoles.Synthesis)} {missing}".Trim());
    }

    public async Task AfterAnswer(BehaviorContext<SummaryRow> context)
    {
        var transition = SummaryTransition.Of(context);
        var summary = transition.Summary;
        var answer = await readings.AnswersOf(summary, SummaryRoles.Answer);
        if (answer.Count > 0)
            transition.AddPayload(PayloadRow.Answer, answer[0].Text);
        var missing = await results.WhatIsMissing(summary, transition.Work);
        transition.Next = new SummaryStep.Finish(answer.Count > 0
            ? missing
            : $"The question could not be answered: {await readings.WhyFailed(summary, SummaryRoles.Answer)} {missing}".Trim());
    }

    /// <summary>The deadline is near: no more is waited for. What models wrote is in the result, extracts stand in for the rest.</summary>
    public async Task AtDeadline(BehaviorContext<SummaryRow> context)
    {
        var transition = SummaryTransition.Of(context);
        var summary = transition.Summary;
        var texts = await readings.PageTexts(summary, await ExtractPages(transition, noTimeLeft: true));
        if (texts.Count == 0)
        {
            transition.Next = new SummaryStep.GiveUp(await readings.WhyNoPage(summary));
            return;
        }

        // While the question is being answered, the summary of the whole is there.
        var synthesized = summary.State == SummaryStates.Answering;
        if (!synthesized)
            await ExtractWhole(transition, texts);
        var why = $"The deadline {summary.Deadline:yyyy-MM-dd HH:mm:ss} UTC was near, so the result was made of what there was"
            + (synthesized ? "" : "; the summary of the whole is an extract of its pages' summaries")
            + (summary.Question is null ? "." : "; the question was not answered.");
        transition.Next = new SummaryStep.Finish($"{why} {await results.WhatIsMissing(summary, transition.Work)}".Trim());
    }

    private async Task<List<PageExtract>> ExtractPages(SummaryTransition transition, bool noTimeLeft)
    {
        var summary = transition.Summary;
        var taken = (await extracts.Taken(summary.CorrelationId, transition.Work)).Select(e => e.Number).ToHashSet();
        var made = await extracts.Make(summary, noTimeLeft, pools.NoneIsLeft(transition.Today, transition.Now));
        var fresh = made.FindAll(e => !taken.Contains(e.Number));
        PageExtracts.Keep(summary, transition.Work, fresh);
        if (fresh.Count > 0)
            transition.Record("Extracted", $"{fresh.Count} pages, the first because {fresh[0].Reason}");
        return made;
    }

    private async Task<string> ExtractWhole(SummaryTransition transition, IReadOnlyList<string> texts)
    {
        var summary = transition.Summary;
        if (texts.Count == 0)
            texts = await readings.PageTexts(summary, await extracts.Taken(summary.CorrelationId, transition.Work));
        transition.Record("Extracted", "the summary of the whole");
        return transition.AddPayload(PayloadRow.ExtractedSummary, PageExtracts.Whole(texts, summary.Question));
    }
}
