using LlmQueue.Contracts;
using LlmQueue.Storage;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Worker.PageSummaries.Pages;

/// <summary>The answer of one task of a stage.</summary>
public sealed record StageAnswer(TaskRow Task, string Text);

/// <summary>A page as it was handed in, made readable.</summary>
/// <param name="Page">Its title and text.</param>
/// <param name="Number">Its place, from 1.</param>
/// <param name="Wrong">Why it cannot be summarised; null when it can.</param>
public sealed record NumberedPage(ReadablePage Page, int Number, string? Wrong);

/// <summary>Reads what a summary was given and what its stages gave.</summary>
public sealed class SummaryReadings(IDbContextFactory<QueueDb> contexts)
{
    public async Task<List<NumberedPage>> Pages(Guid id)
    {
        await using var db = await contexts.CreateDbContextAsync();
        var rows = await db.Payloads.AsNoTracking().Where(p => p.SubjectId == id && p.Part.StartsWith("page/")).ToListAsync();
        return [.. rows.Select(r => (Content: SummaryIntake.ReadPage(r.Content), Number: int.Parse(r.Part.AsSpan(5))))
            .OrderBy(p => p.Number).Select(p =>
        {
            var wrong = p.Content.Wrong;
            var page = wrong is null
                ? PageText.Read(new PageContent { Title = p.Content.Title, Text = p.Content.Text, Html = p.Content.Html }, p.Number)
                : new ReadablePage(p.Content.Title ?? $"Page {p.Number}", "");
            return new NumberedPage(page, p.Number, wrong ?? (
                page.Text.Length == 0 ? $"Page {p.Number} has no readable text; expected some outside its scripts and navigation." : null));
        })];
    }

    public async Task<List<StageAnswer>> AnswersOf(SummaryRow summary, string role, int? stage = null)
    {
        await using var db = await contexts.CreateDbContextAsync();
        var rows = await (from task in db.Tasks.AsNoTracking()
                          join answer in db.Payloads.AsNoTracking() on task.CorrelationId equals answer.SubjectId
                          where task.SummaryId == summary.CorrelationId
                              && task.SummaryRole == role
                              && task.State == TaskStates.Completed
                              && answer.Part == PayloadRow.Answer
                              && (stage == null || task.PartNumber == stage)
                          orderby task.PageNumber, task.PartNumber
                          select new { task, answer.Content }).ToListAsync();
        return [.. rows.Select(r => new StageAnswer(r.task, r.Content))];
    }

    /// <summary>Each page's text in the result under its title: what models wrote, or the extract in its place.</summary>
    public async Task<List<string>> PageTexts(SummaryRow summary, IReadOnlyList<PageExtract> extracts)
    {
        var replaced = extracts.ToDictionary(e => e.Number);
        var written = (await AnswersOf(summary, SummaryRoles.Page)).GroupBy(a => a.Task.PageNumber ?? 0)
            .Where(p => !replaced.ContainsKey(p.Key))
            .Select(p => (Number: p.Key, Text: $"[{p.First().Task.Title}]\n{string.Join("\n", p.Select(a => a.Text))}"));
        return [
            .. written.Concat(extracts.Select(e => (e.Number, Text: $"[{e.Title}]\n{e.Text}"))).OrderBy(p => p.Number).Select(p => p.Text)];
    }

    /// <summary>
    /// The merged texts of the stage that has just ended; for a merge that failed, the beginnings of what it was to merge.
    /// </summary>
    public async Task<List<string>> MergedTexts(SummaryRow summary)
    {
        var merged = (await AnswersOf(summary, SummaryRoles.Merge, summary.Stage)).ToDictionary(a => a.Task.CorrelationId, a => a.Text);
        await using var db = await contexts.CreateDbContextAsync();
        var tasks = await (from task in db.Tasks.AsNoTracking()
                           join prompt in db.Payloads.AsNoTracking() on task.CorrelationId equals prompt.SubjectId
                           where task.SummaryId == summary.CorrelationId
                               && task.SummaryRole == SummaryRoles.Merge
                               && task.PartNumber == summary.Stage
                               && prompt.Part == PayloadRow.Prompt
                           orderby task.PageNumber
                           select new { task.CorrelationId, prompt.Content }).ToListAsync();
        return [.. tasks.Select(t => merged.TryGetValue(t.CorrelationId, out var text)
            ? text
            : PageText.Beginning(TaskIntake.ReadPrompt(t.Content)[^1].Content, SummaryPrompts.MergeOutputTokens))];
    }

    public async Task<string> WhyNoPage(SummaryRow summary) =>
        $"None of the {summary.Pages} pages could be summarised. The first that failed: {await WhyFailed(summary, SummaryRoles.Page)}";

    public async Task<string> WhyFailed(SummaryRow summary, string role)
    {
        await using var db = await contexts.CreateDbContextAsync();
        return await db.Tasks.AsNoTracking()
            .Where(t => t.SummaryId == summary.CorrelationId && t.SummaryRole == role && t.FailureReason != null)
            .OrderBy(t => t.PageNumber).Select(t => t.FailureReason).FirstOrDefaultAsync() ?? "no reason was recorded.";
    }
}
