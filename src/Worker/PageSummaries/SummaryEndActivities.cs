using System.Diagnostics.Metrics;
using LlmQueue.Contracts;
using LlmQueue.Hosting.Telemetry;
using LlmQueue.Storage.Summaries;
using MassTransit;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.PageSummaries;

/// <summary>Activities for the end of a summary: its reason, and the event that carries the result.</summary>
public sealed class SummaryEndActivities(SummaryResults results, ILogger<SummaryEndActivities> logger)
{
    private static readonly Meter Meter = new(QueueMetrics.MeterName);
    private static readonly Counter<long> PagesByModel = Meter.CreateCounter<long>(
        "llmqueue.summary.pages", "{page}", "Pages of summaries that have ended, by the model that wrote them, or extract, failed, …");

    public Task Complete(BehaviorContext<SummaryRow> context)
    {
        var transition = SummaryTransition.Of(context);
        return End(transition, SummaryStates.Completed, ((SummaryStep.Finish)transition.Next!).Reason);
    }

    public Task Fail(BehaviorContext<SummaryRow> context)
    {
        var transition = SummaryTransition.Of(context);
        return End(transition, SummaryStates.Failed, ((SummaryStep.GiveUp)transition.Next!).Reason);
    }

    public Task Cancel(BehaviorContext<SummaryRow> context) =>
        End(SummaryTransition.Of(context), SummaryStates.Canceled, "canceled by its owner");

    private async Task End(SummaryTransition transition, string state, string? reason)
    {
        var (summary, work) = (transition.Summary, transition.Work);
        summary.FailureReason = reason;
        summary.EndedAt = work.Now;
        work.Record(summary.CorrelationId, state, state, reason);
        var result = await results.Of(summary, state, work);
        work.Publish(result);
        work.WhenCommitted += () => ReportPagesByModel(result);
    }

    /// <summary>Who wrote the pages, for people and for metrics.</summary>
    private void ReportPagesByModel(PagesSummarized result)
    {
        var byModel = result.Pages.Select(p => p.State == PageStates.Extracted ? "extract" : p.Model ?? p.State.ToLowerInvariant())
            .SelectMany(m => m.Split(", ")).CountBy(m => m)
            .OrderByDescending(m => m.Value).ThenBy(m => m.Key, StringComparer.Ordinal).ToList();
        foreach (var (model, pages) in byModel)
            PagesByModel.Add(pages, new KeyValuePair<string, object?>("llm.model", model));
        logger.LogInformation("Summary {Id} is {State}: {Pages} pages, {Distribution}",
            result.SummaryId, result.State, result.Pages.Count, string.Join(", ", byModel.Select(m => $"{m.Value} {m.Key}")));
    }
}
