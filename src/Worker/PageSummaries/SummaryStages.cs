using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Ranking;

namespace LlmQueue.Worker.PageSummaries;

/// <summary>A task of a stage, with its prompt.</summary>
public sealed record StageTask(TaskRow Row, IReadOnlyList<LlmMessage> Messages);

/// <summary>The next step of a summary. A closed set; the state machine has one branch for each.</summary>
public abstract record SummaryStep
{
    /// <summary>The tasks the step opens.</summary>
    public IReadOnlyList<StageTask> Tasks { get; init; } = [];

    public sealed record Plan : SummaryStep;

    public sealed record SummarizePages : SummaryStep;

    public sealed record Merge : SummaryStep;

    public sealed record Synthesize : SummaryStep;

    public sealed record Answer : SummaryStep;

    public sealed record Finish(string? Reason) : SummaryStep;

    public sealed record GiveUp(string Reason) : SummaryStep;
}

/// <summary>Makes the tasks of each stage from what the stages before it gave.</summary>
public sealed class SummaryStages(SummaryPools pools, SummaryReadings readings)
{
    private const int MostTitles = 300;

    /// <summary>More levels than any set of pages needs: every level at least halves the number of texts.</summary>
    private const int DeepestTree = 20;

    public async Task<SummaryStep> Plan(SummaryRow summary, DateTime now)
    {
        var titles = (await readings.Pages(summary.CorrelationId)).Take(MostTitles).Select(p => p.Page.Title);
        return new SummaryStep.Plan
        {
            Tasks =
            [
                NewTask(summary, SummaryRoles.Plan, SummaryPrompts.Plan(summary.Question!, titles), SummaryPrompts.PlanOutputTokens,
                    CallerModels(summary, now), now),
            ],
        };
    }

    /// <summary>
    /// A task a page, or a part of one that no model of the pool could take whole. A page that cannot be read is a task
    /// that has ended already.
    /// </summary>
    public async Task<SummaryStep> Pages(SummaryRow summary, string? guide, DateTime now)
    {
        var models = pools.Pages(DateOnly.FromDateTime(now));
        var material = pools.MaterialOf(models, SummaryPrompts.PageOutputTokens);
        var tasks = new List<StageTask>();
        foreach (var (page, number, wrong) in await readings.Pages(summary.CorrelationId))
        {
            var parts = wrong is null ? PageText.Split(page.Text, material) : [""];
            for (var part = 1; part <= parts.Count; part++)
            {
                var task = NewTask(summary, SummaryRoles.Page, SummaryPrompts.Page(page.Title, parts[part - 1], part, parts.Count, guide),
                    SummaryPrompts.PageOutputTokens, models, now);
                (task.Row.Title, task.Row.PageNumber, task.Row.PartNumber, task.Row.Spread, task.Row.Route) = (page.Title, number, part,
                    true, "summary pool");
                task.Row.Complexity = PageDensityRule.Decide(parts[part - 1]);
                if (wrong is not null)
                    (task.Row.State, task.Row.FailureReason, task.Row.EndedAt) = (TaskStates.Rejected, wrong, now);
                tasks.Add(task);
            }
        }

        return new SummaryStep.SummarizePages { Tasks = tasks };
    }

    /// <summary>
    /// One synthesis when the texts fit one call, else merges in groups. Every merge takes at least two texts and gives one, so the tree
    /// shrinks at every level.
    /// </summary>
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
            return new SummaryStep.Synthesize
            {
                Tasks =
                [
                    NewTask(summary, SummaryRoles.Synthesis, SummaryPrompts.Synthesis(fitting, summary.Question),
                        SummaryPrompts.SynthesisOutputTokens, synthesis, now),
                ],
            };
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
        new SummaryStep.Answer
        {
            Tasks =
            [
                NewTask(summary, SummaryRoles.Answer, SummaryPrompts.Answer(summary.Question!, synthesis),
                    SummaryPrompts.AnswerOutputTokens, CallerModels(summary, now), now),
            ],
        };

    private IReadOnlyList<ModelId> CallerModels(SummaryRow summary, DateTime now) =>
        summary.Model is null ? pools.Synthesis(DateOnly.FromDateTime(now)) : [];

    private static StageTask NewTask(
        SummaryRow summary, string role, IReadOnlyList<LlmMessage> messages, int outputTokens, IReadOnlyList<ModelId> models, DateTime now)
    {
        var row = SubmittedTask.NewRow(Guid.CreateVersion7(now), summary.Tenant, now);
        (row.Priority, row.Deadline, row.Kind, row.Complexity) = (summary.Priority, DeadlineRule.StageEnd(summary, role, now),
            "summarization", "medium");
        row.MaxOutputTokens = outputTokens;
        row.PromptTokens = TokenEstimateRule.EstimatePromptTokens(messages, TokenCalibration.None);
        row.PromptUnits = TokenEstimateRule.UnitsWithFrame(messages);
        // The caller's own model is routed like any request for it; the pools are chains of their own.
        if (models.Count == 0)
            row.RequestedModel = summary.Model;
        else
            row.Chain = string.Join(' ', models);
        row.Route = $"summary, {role}";
        (row.SummaryId, row.SummaryRole) = (summary.CorrelationId, role);
        return new StageTask(row, messages);
    }

    /// <summary>
    /// Neighbours together, each group within the room and never of one alone. Every text is at most half the room, so two always fit.
    /// </summary>
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
            // An odd one at the end takes a neighbour from the group before it, or joins it when that would leave the
            // neighbour's group with one.
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
