using System.Text.Json;
using LlmQueue.Storage;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;
using LlmQueue.Worker.PageSummaries.Extraction;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Worker.PageSummaries.Pages;

/// <summary>An extract that stands in for what a model would have written of a page, or of the parts of it that no model took.</summary>
/// <param name="Number">The page's place, from 1.</param>
/// <param name="Title">Its title.</param>
/// <param name="Text">The extract; parts that a model wrote are in it as they are.</param>
/// <param name="Reason">Why no model wrote it.</param>
public sealed record PageExtract(int Number, string Title, string Text, string Reason);

/// <summary>Makes extracts of the pages that no model has summarised, and keeps them as rows of the summary.</summary>
public sealed class PageExtracts(SummaryReadings readings, IDbContextFactory<QueueDb> contexts)
{
    private const int PageCharacters = 900;
    private const int WholeCharacters = 2400;

    /// <summary>Pairs of sentences that are compared in one result, all pages together: about two seconds on one core.</summary>
    private const int MostPairs = 60_000_000;
    private const string Prefix = "extract/";

    /// <summary>Why a page's task that ended so gives way to an extract; null when it does not. Pure.</summary>
    /// <param name="task">A task of a page.</param>
    /// <param name="noTimeLeft">The summary's result is made of what there is now.</param>
    /// <param name="noModelLeft">No model of the pool can be called any more.</param>
    public static string? WhyExtract(TaskRow task, bool noTimeLeft, bool noModelLeft) => task.State switch
    {
        TaskStates.Completed or TaskStates.Canceled => null,
        TaskStates.Expired => $"no model had room for it in time: {task.FailureReason}",
        // What failed for a reason of its own stays failed: an extract of what a provider refused, or could not read, would hide it.
        TaskStates.Failed or TaskStates.Rejected => noModelLeft ? $"no model of the pool is left: {task.FailureReason}" : null,
        _ => noTimeLeft ? $"the deadline was near{(task.Wait.Reason is null ? "" : $"; it waited because {task.Wait.Reason}")}" : null,
    };

    /// <summary>Extracts of the pages that no model has summarised and none will; those made before are not made again.</summary>
    public async Task<List<PageExtract>> Make(SummaryRow summary, bool noTimeLeft, bool noModelLeft)
    {
        var limits = new ExtractLimits(PageCharacters, (int)Math.Clamp(Math.Sqrt(2.0 * MostPairs / Math.Max(1, summary.Pages)), 30, 300),
            summary.Question);
        await using var db = await contexts.CreateDbContextAsync();
        var tasks = await db.Tasks.AsNoTracking()
            .Where(t => t.SummaryId == summary.CorrelationId && t.SummaryRole == SummaryRoles.Page)
            .OrderBy(t => t.PageNumber).ThenBy(t => t.PartNumber).ToListAsync();
        if (tasks.Count == 0)
            return noTimeLeft
                ? [.. (await readings.Pages(summary.CorrelationId)).Where(p => p.Wrong is null).Select(p => new PageExtract(p.Number,
                    p.Page.Title, ExtractRule.Decide(p.Page.Text, limits), "the deadline was near before its turn came"))]
                : [];
        var kept = (await Kept(db, summary.CorrelationId)).ToDictionary(e => e.Number);
        var extracts = kept.Values.ToList();
        foreach (var page in tasks.GroupBy(t => t.PageNumber!.Value).Where(p => !kept.ContainsKey(p.Key)))
        {
            var reasons = page.Select(part => WhyExtract(part, noTimeLeft, noModelLeft)).ToList();
            if (reasons.Find(r => r is not null) is not { } reason)
                continue;
            var texts = new List<string>();
            foreach (var (part, why) in page.Zip(reasons))
                texts.Add(await TextOf(db, part, why is not null, limits));
            extracts.Add(new PageExtract(page.Key, page.First().Title ?? $"Page {page.Key}",
                string.Join("\n\n", texts.Where(t => t.Length > 0)), reason));
        }

        return [.. extracts.OrderBy(e => e.Number)];
    }

    /// <summary>The whole, of what there is of its pages. A line a sentence says which page it is of.</summary>
    public static string Whole(IReadOnlyList<string> texts, string? question) =>
        ExtractRule.Decide(string.Join("\n\n", texts.Select(WithoutTitle)), new ExtractLimits(WholeCharacters, Question: question));

    /// <summary>Puts extracts into the transition, each once.</summary>
    public static void Keep(SummaryRow summary, UnitOfWork transition, IEnumerable<PageExtract> extracts) =>
        transition.Payloads.AddRange(extracts.Select(e => new PayloadRow
        {
            SubjectId = summary.CorrelationId, Part = Prefix + e.Number, Content = JsonSerializer.Serialize(e, StoredJson.Options),
        }));

    /// <summary>Those that stand in rows, and those this transition adds.</summary>
    public async Task<List<PageExtract>> Taken(Guid summary, UnitOfWork transition)
    {
        await using var db = await contexts.CreateDbContextAsync();
        var fresh = transition.Payloads.Where(p => p.SubjectId == summary && p.Part.StartsWith(Prefix, StringComparison.Ordinal))
            .Select(Read);
        return [.. (await Kept(db, summary)).Concat(fresh).DistinctBy(e => e.Number).OrderBy(e => e.Number)];
    }

    private static async Task<List<PageExtract>> Kept(QueueDb db, Guid summary) =>
        [.. (await db.Payloads.AsNoTracking().Where(p => p.SubjectId == summary && p.Part.StartsWith(Prefix)).ToListAsync()).Select(Read)];

    private static async Task<string> TextOf(QueueDb db, TaskRow part, bool extracted, ExtractLimits limits)
    {
        var kind = extracted ? PayloadRow.Prompt : PayloadRow.Answer;
        var content = await db.Payloads.AsNoTracking().Where(p => p.SubjectId == part.CorrelationId && p.Part == kind)
            .Select(p => p.Content).FirstOrDefaultAsync();
        // The prompt of a page is its title, an empty line and its text.
        return content is null ? ""
            : !extracted ? content : ExtractRule.Decide(WithoutFrame(TaskIntake.ReadPrompt(content)[^1].Content), limits);
    }

    private static string WithoutFrame(string prompt) =>
        prompt.IndexOf("\n\n", StringComparison.Ordinal) is >= 0 and var end ? prompt[(end + 2)..] : prompt;

    private static string WithoutTitle(string text) =>
        text.StartsWith('[') && text.IndexOf("]\n", StringComparison.Ordinal) is > 0 and var end ? text[(end + 2)..] : text;

    private static PageExtract Read(PayloadRow row) => JsonSerializer.Deserialize<PageExtract>(row.Content, StoredJson.Options)!;
}
