using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Storage;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;
using LlmQueue.Worker.PageSummaries.Pages;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Worker.PageSummaries;

/// <summary>Composes a summary's result: the event, and the sentences about what is missing.</summary>
public sealed class SummaryResults(SummaryReadings readings, PageExtracts extracts, IDbContextFactory<QueueDb> contexts)
{
    /// <summary>Which pages are not in the result, or only as extracts, as sentences; null when a model wrote all.</summary>
    public async Task<string?> WhatIsMissing(SummaryRow summary, UnitOfWork transition)
    {
        var taken = await extracts.Taken(summary.CorrelationId, transition);
        var numbers = taken.Select(e => e.Number).ToHashSet();
        await using var db = await contexts.CreateDbContextAsync();
        var failed = (await db.Tasks.AsNoTracking()
            .Where(t => t.SummaryId == summary.CorrelationId && t.SummaryRole == SummaryRoles.Page && t.State != TaskStates.Completed)
            .OrderBy(t => t.PageNumber).Select(t => new { t.PageNumber, t.Title })
            .ToListAsync()).Where(t => !numbers.Contains(t.PageNumber ?? 0)).Select(t => t.Title).ToList();
        var sentences = new List<string>();
        if (failed.Count > 0)
            sentences.Add($"{failed.Count} of the parts of {summary.Pages} pages could not be summarised and are not in the "
                + $"result, among them '{failed[0]}'.");
        if (taken.Count > 0)
            sentences.Add($"{taken.Count} of {summary.Pages} pages are extracts, sentences of the page itself, because no model could take "
                + $"them in time; among them '{taken[0].Title}'.");
        return sentences.Count == 0 ? null : string.Join(' ', sentences);
    }

    public async Task<PagesSummarized> Of(SummaryRow summary, string state, UnitOfWork transition)
    {
        await using var db = await contexts.CreateDbContextAsync();
        var tasks = await db.Tasks.AsNoTracking().Where(t => t.SummaryId == summary.CorrelationId)
            .OrderBy(t => t.PageNumber).ThenBy(t => t.PartNumber).ToListAsync();
        var texts = (await readings.AnswersOf(summary, SummaryRoles.Page)).ToDictionary(a => a.Task.CorrelationId, a => a.Text);
        var taken = (await extracts.Taken(summary.CorrelationId, transition)).ToDictionary(e => e.Number);
        var whole = await db.Payloads.AsNoTracking().Where(p => p.SubjectId == summary.CorrelationId
            && (p.Part == PayloadRow.Summary || p.Part == PayloadRow.ExtractedSummary || p.Part == PayloadRow.Answer))
            .ToDictionaryAsync(p => p.Part, p => p.Content);
        foreach (var fresh in transition.Payloads.Where(p => p.SubjectId == summary.CorrelationId))
            whole[fresh.Part] = fresh.Content;
        var pages = tasks.Where(t => t.SummaryRole == SummaryRoles.Page).GroupBy(t => t.PageNumber!.Value)
            .ToDictionary(p => p.Key, p => p.ToList());
        return new PagesSummarized
        {
            SummaryId = summary.CorrelationId, Tenant = summary.Tenant, State = state, Reason = summary.FailureReason,
            Answer = whole.GetValueOrDefault(PayloadRow.Answer),
            Summary = whole.GetValueOrDefault(PayloadRow.Summary) ?? whole.GetValueOrDefault(PayloadRow.ExtractedSummary),
            IsExtract = whole.ContainsKey(PayloadRow.ExtractedSummary),
            Pages =
            [
                .. pages.Keys.Union(taken.Keys).Order()
                    .Select(n => PageResultOf(n, pages.GetValueOrDefault(n) ?? [], texts, taken.GetValueOrDefault(n))),
            ],
            Usage = new LlmUsage(tasks.Sum(t => t.InputTokens), tasks.Sum(t => t.OutputTokens)),
            CostUsd = tasks.Exists(t => t.CostUnknown) ? null : tasks.Sum(t => t.CostUsd),
            At = transition.Now,
            Metadata = Labels.Read(summary.Metadata),
        };
    }

    private static PageResult PageResultOf(int number, List<TaskRow> parts, Dictionary<Guid, string> texts, PageExtract? extract)
    {
        var written = parts.Where(p => texts.ContainsKey(p.CorrelationId)).ToList();
        return new PageResult
        {
            Number = number, Title = extract?.Title ?? (parts is [{ Title: { } title }, ..] ? title : $"Page {number}"),
            State = extract is not null
                ? PageStates.Extracted
                : parts.Find(p => p.State != TaskStates.Completed)?.State ?? TaskStates.Completed,
            Summary = extract?.Text ?? (written.Count == 0 ? null : string.Join("\n\n", written.Select(p => texts[p.CorrelationId]))),
            Model = written.Count == 0 ? null : string.Join(", ", written.Select(p => p.AnsweredModel).Distinct()),
            Reason = extract?.Reason ?? parts.Find(p => p.FailureReason is not null)?.FailureReason,
        };
    }
}
