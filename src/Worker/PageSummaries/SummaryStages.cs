using LlmQueue.Worker.Estimation;
using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Store;
using LlmQueue.Store.Catalogue;
using LlmQueue.Store.Commits;
using LlmQueue.Store.Intake;
using LlmQueue.Store.Rows;
using LlmQueue.Worker.Admission;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Worker.PageSummaries;

/// <summary>The answer of one task of a stage.</summary>
public sealed record StageAnswer(TaskRow Task, string Text);

/// <summary>Makes the tasks of each stage from what the stages before it gave.</summary>
public sealed class SummaryStages(SummaryPools pools, IDbContextFactory<QueueDb> contexts)
{
    private const int MostTitles = 300;

    /// <summary>More levels than any set of pages needs: every level at least halves the number of texts.</summary>
    private const int DeepestTree = 20;

    // ---- Making tasks ----

    public async Task<SummaryStep> Plan(SummaryRow summary, DateTime now)
    {
        var titles = (await ReadPages(summary.CorrelationId)).Take(MostTitles).Select(p => p.Page.Title);
        return new SummaryStep.Plan { Tasks = [NewTask(summary, SummaryRoles.Plan, SummaryPrompts.Plan(summary.Question!, titles), SummaryPrompts.PlanOutputTokens, CallerModels(summary, now), now)] };
    }

    /// <summary>A task a page, or a part of one that no model of the pool could take whole. A page that cannot be read is a task that has ended already.</summary>
    public async Task<SummaryStep> Pages(SummaryRow summary, string? guide, DateTime now)
    {
        var models = pools.Pages(DateOnly.FromDateTime(now));
        var material = pools.MaterialOf(models, SummaryPrompts.PageOutputTokens);
        var tasks = new List<StageTask>();
        foreach (var (page, number, wrong) in await ReadPages(summary.CorrelationId))
        {
            var parts = wrong is null ? PageText.Split(page.Text, material) : [""];
            for (var part = 1; part <= parts.Count; part++)
            {
                var task = NewTask(summary, SummaryRoles.Page, SummaryPrompts.Page(page.Title, parts[part - 1], part, parts.Count, guide), SummaryPrompts.PageOutputTokens, models, now);
                (task.Row.Title, task.Row.PageNumber, task.Row.PartNumber, task.Row.Spread, task.Row.Route) = (page.Title, number, part, true, "summary pool");
                if (wrong is not null)
                    (task.Row.State, task.Row.FailureReason, task.Row.EndedAt) = (TaskStates.Rejected, wrong, now);
                tasks.Add(task);
            }
        }

        return new SummaryStep.SummarizePages { Tasks = tasks };
    }

    /// <summary>One synthesis when the texts fit one call, else merges in groups. Every merge takes at least two texts and gives one, so the tree shrinks at every level.</summary>
    public SummaryStep Condense(SummaryRow summary, IReadOnlyList<string> texts, DateTime now)
    {
        var today = DateOnly.FromDateTime(now);
        var synthesis = pools.Synthesis(today);
        var room = pools.LargestMaterialOf(synthesis, SummaryPrompts.SynthesisOutputTokens);
        if (texts.Count == 1 || texts.Sum(PageText.Tokens) <= room || summary.Stage > DeepestTree)
        {
            var share = room / texts.Count;
            // Only a single text, or a tree that has gone too deep, can be above the room: then each gives up its end.
            var fitting = texts.Sum(PageText.Tokens) <= room ? texts : [.. texts.Select(t => PageText.Beginning(t, share))];
            return new SummaryStep.Synthesize { Tasks = [NewTask(summary, SummaryRoles.Synthesis, SummaryPrompts.Synthesis(fitting, summary.Question), SummaryPrompts.SynthesisOutputTokens, synthesis, now)] };
        }

        var models = pools.Pages(today);
        var material = pools.MaterialOf(models, SummaryPrompts.MergeOutputTokens);
        var groups = Groups([.. texts.Select(t => PageText.Beginning(t, material / 2))], material);
        var tasks = groups.Select((group, i) =>
        {
            var task = NewTask(summary, SummaryRoles.Merge, SummaryPrompts.Merge(group), SummaryPrompts.MergeOutputTokens, models, now);
            (task.Row.PageNumber, task.Row.PartNumber, task.Row.Spread, task.Row.Route) = (i + 1, summary.Stage + 1, true, "summary pool");
            return task;
        });
        return new SummaryStep.Merge { Tasks = [.. tasks] };
    }

    public SummaryStep Answer(SummaryRow summary, string synthesis, DateTime now) =>
        new SummaryStep.Answer { Tasks = [NewTask(summary, SummaryRoles.Answer, SummaryPrompts.Answer(summary.Question!, synthesis), SummaryPrompts.AnswerOutputTokens, CallerModels(summary, now), now)] };

    // ---- Reading what they gave ----

    public async Task<List<StageAnswer>> AnswersOf(SummaryRow summary, string role, int? stage = null)
    {
        await using var db = await contexts.CreateDbContextAsync();
        var rows = await (from task in db.Tasks.AsNoTracking()
                          join answer in db.Payloads.AsNoTracking() on task.CorrelationId equals answer.SubjectId
                          where task.SummaryId == summary.CorrelationId && task.SummaryRole == role && task.State == TaskStates.Completed && answer.Part == PayloadRow.Answer
                              && (stage == null || task.PartNumber == stage)
                          orderby task.PageNumber, task.PartNumber
                          select new { task, answer.Content }).ToListAsync();
        return [.. rows.Select(r => new StageAnswer(r.task, r.Content))];
    }

    /// <summary>The texts of the stage that has just ended: page summaries with their titles, or merged ones; for a merge that failed, the beginnings of what it was to merge.</summary>
    public async Task<List<string>> TextsToCondense(SummaryRow summary)
    {
        if (summary.State == SummaryStates.SummarizingPages)
            return [.. (await AnswersOf(summary, SummaryRoles.Page)).GroupBy(a => a.Task.PageNumber).Select(p => $"[{p.First().Task.Title}]\n{string.Join("\n", p.Select(a => a.Text))}")];
        var merged = (await AnswersOf(summary, SummaryRoles.Merge, summary.Stage)).ToDictionary(a => a.Task.CorrelationId, a => a.Text);
        await using var db = await contexts.CreateDbContextAsync();
        var tasks = await (from task in db.Tasks.AsNoTracking()
                           join prompt in db.Payloads.AsNoTracking() on task.CorrelationId equals prompt.SubjectId
                           where task.SummaryId == summary.CorrelationId && task.SummaryRole == SummaryRoles.Merge && task.PartNumber == summary.Stage && prompt.Part == PayloadRow.Prompt
                           orderby task.PageNumber
                           select new { task.CorrelationId, prompt.Content }).ToListAsync();
        return [.. tasks.Select(t => merged.TryGetValue(t.CorrelationId, out var text) ? text : PageText.Beginning(TaskIntake.ReadPrompt(t.Content)[^1].Content, SummaryPrompts.MergeOutputTokens))];
    }

    public async Task<string> WhyNoPage(SummaryRow summary) => $"None of the {summary.Pages} pages could be summarised. The first that failed: {await WhyFailed(summary, SummaryRoles.Page)}";

    public async Task<string> WhyFailed(SummaryRow summary, string role)
    {
        await using var db = await contexts.CreateDbContextAsync();
        return await db.Tasks.AsNoTracking().Where(t => t.SummaryId == summary.CorrelationId && t.SummaryRole == role && t.FailureReason != null)
            .OrderBy(t => t.PageNumber).Select(t => t.FailureReason).FirstOrDefaultAsync() ?? "no reason was recorded.";
    }

    /// <summary>Which pages are not in the result, as a sentence; null when all are.</summary>
    public async Task<string?> WhatIsMissing(SummaryRow summary)
    {
        await using var db = await contexts.CreateDbContextAsync();
        var failed = await db.Tasks.AsNoTracking().Where(t => t.SummaryId == summary.CorrelationId && t.SummaryRole == SummaryRoles.Page && t.State != TaskStates.Completed)
            .OrderBy(t => t.PageNumber).Select(t => t.Title).ToListAsync();
        return failed.Count == 0 ? null : $"{failed.Count} of the parts of {summary.Pages} pages could not be summarised and are not in the result, among them '{failed[0]}'.";
    }

    public async Task<PagesSummarized> Result(SummaryRow summary, string state, string? synthesis, string? answer, DateTime now)
    {
        await using var db = await contexts.CreateDbContextAsync();
        var tasks = await db.Tasks.AsNoTracking().Where(t => t.SummaryId == summary.CorrelationId).OrderBy(t => t.PageNumber).ThenBy(t => t.PartNumber).ToListAsync();
        var texts = (await AnswersOf(summary, SummaryRoles.Page)).ToDictionary(a => a.Task.CorrelationId, a => a.Text);
        synthesis ??= await db.Payloads.AsNoTracking().Where(p => p.SubjectId == summary.CorrelationId && p.Part == "summary").Select(p => p.Content).FirstOrDefaultAsync();
        return new PagesSummarized
        {
            SummaryId = summary.CorrelationId, Tenant = summary.Tenant, State = state, Summary = synthesis, Answer = answer, Reason = summary.FailureReason,
            Pages = [.. tasks.Where(t => t.SummaryRole == SummaryRoles.Page).GroupBy(t => t.PageNumber!.Value).Select(p => PageResultOf(p.Key, [.. p], texts))],
            Usage = new LlmUsage(tasks.Sum(t => t.InputTokens), tasks.Sum(t => t.OutputTokens)),
            CostUsd = tasks.Exists(t => t.CostUnknown) ? null : tasks.Sum(t => t.CostUsd),
            At = now,
            Metadata = summary.Metadata is null ? null : JsonSerializer.Deserialize<Dictionary<string, string>>(summary.Metadata, Transition.Json),
        };
    }

    private static PageResult PageResultOf(int number, List<TaskRow> parts, Dictionary<Guid, string> texts)
    {
        var written = parts.Where(p => texts.ContainsKey(p.CorrelationId)).ToList();
        return new PageResult
        {
            Number = number, Title = parts[0].Title ?? $"Page {number}",
            State = parts.Find(p => p.State != TaskStates.Completed)?.State ?? TaskStates.Completed,
            Summary = written.Count == 0 ? null : string.Join("\n\n", written.Select(p => texts[p.CorrelationId])),
            Model = written.Count == 0 ? null : string.Join(", ", written.Select(p => p.AnsweredModel).Distinct()),
            Reason = parts.Find(p => p.FailureReason is not null)?.FailureReason,
        };
    }

    private async Task<List<(ReadablePage Page, int Number, string? Wrong)>> ReadPages(Guid id)
    {
        await using var db = await contexts.CreateDbContextAsync();
        var rows = await db.Payloads.AsNoTracking().Where(p => p.SubjectId == id && p.Part.StartsWith("page/")).ToListAsync();
        return [.. rows.Select(r => (Content: SummaryIntake.ReadPage(r.Content), Number: int.Parse(r.Part.AsSpan(5)))).OrderBy(p => p.Number).Select(p =>
        {
            var wrong = p.Content.Wrong;
            var page = wrong is null ? PageText.Read(new PageContent { Title = p.Content.Title, Text = p.Content.Text, Html = p.Content.Html }, p.Number) : new ReadablePage(p.Content.Title ?? $"Page {p.Number}", "");
            return (page, p.Number, wrong ?? (page.Text.Length == 0 ? $"Page {p.Number} has no readable text; expected some outside its scripts and navigation." : null));
        })];
    }

    private IReadOnlyList<ModelId> CallerModels(SummaryRow summary, DateTime now) => summary.Model is null ? pools.Synthesis(DateOnly.FromDateTime(now)) : [];

    private static StageTask NewTask(SummaryRow summary, string role, IReadOnlyList<LlmMessage> messages, int outputTokens, IReadOnlyList<ModelId> models, DateTime now) => new(new TaskRow
    {
        CorrelationId = Guid.CreateVersion7(now), Version = 1, State = TaskStates.Submitted, Tenant = summary.Tenant, Priority = summary.Priority, Deadline = summary.Deadline,
        Kind = "summarization", Complexity = "medium", MaxOutputTokens = outputTokens, PromptTokens = TokenEstimateRule.EstimatePromptTokens(messages, TokenCalibration.None), PromptUnits = TokenEstimateRule.UnitsWithFrame(messages),
        // The caller's own model is routed like any request for it; the pools are chains of their own.
        Chain = models.Count == 0 ? null : string.Join(' ', models), Route = $"summary, {role}", RequestedModel = models.Count == 0 ? summary.Model : null,
        SummaryId = summary.CorrelationId, SummaryRole = role, SubmittedAt = now, UpdatedAt = now, RungAt = now,
    }, messages);

    /// <summary>Neighbours together, each group within the room and never of one alone. Every text is at most half the room, so two always fit.</summary>
    private static List<List<string>> Groups(List<string> texts, int room)
    {
        var groups = new List<List<string>>();
        var size = 0;
        foreach (var text in texts)
        {
            var tokens = PageText.Tokens(text);
            if (groups.Count == 0 || (size + tokens > room && groups[^1].Count > 1))
            {
                groups.Add([]);
                size = 0;
            }

            groups[^1].Add(text);
            size += tokens;
        }

        if (groups.Count > 1 && groups[^1].Count == 1)
        {
            // An odd one at the end takes a neighbour from the group before it, or joins it when that would leave the neighbour's group with one.
            var (before, last) = (groups[^2], groups[^1]);
            if (before.Count > 2)
            {
                last.Insert(0, before[^1]);
                before.RemoveAt(before.Count - 1);
            }
            else
            {
                groups.RemoveAt(groups.Count - 1);
                groups[^1] = [.. before.Concat(last).Select(t => PageText.Beginning(t, room / 3))];
            }
        }

        return groups;
    }
}
