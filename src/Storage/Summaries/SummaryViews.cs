using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Storage.Summaries;

/// <summary>Reads summaries for the API and the command line alike.</summary>
public sealed class SummaryViews(IDbContextFactory<QueueDb> contexts)
{
    private const int MostReasons = 20;

    /// <summary>Cheap enough to be asked twice a second: one pass over the summary's tasks, whose texts are not read.</summary>
    public async Task<SummaryProgress?> ReadProgress(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await ReadProgress(db, id, cancellationToken);
    }

    /// <summary>With every page and the result.</summary>
    public async Task<SummaryView?> Read(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        if (await ReadProgress(db, id, cancellationToken) is not { } standing)
            return null;
        var results = await db.Payloads.AsNoTracking()
            .Where(p => p.SubjectId == id
                && (p.Part == PayloadRow.Summary || p.Part == PayloadRow.ExtractedSummary || p.Part == PayloadRow.Answer))
            .ToDictionaryAsync(p => p.Part, p => p.Content, cancellationToken);
        return new SummaryView(standing)
        {
            Pages = await ReadPages(db, id, standing, cancellationToken),
            Summary = results.GetValueOrDefault(PayloadRow.Summary) ?? results.GetValueOrDefault(PayloadRow.ExtractedSummary),
            IsExtract = results.ContainsKey(PayloadRow.ExtractedSummary),
            Answer = results.GetValueOrDefault(PayloadRow.Answer),
            Calls = await db.Database.SqlQuery<CallCount>($"""
                select a.model as "Model", count(*)::int as "Calls", (count(*) filter (where a.outcome = 'throttled'))::int as "Throttled",
                    (count(*) filter (where a.outcome not in ('throttled', 'answered', 'canceled')))::int as "OtherFaults"
                from tasks t join attempts a on a.task_id = t.id where t.summary_id = {id} group by a.model order by 2 desc, 1
                """).ToListAsync(cancellationToken),
            Deferrals = await db.Database.SqlQuery<DeferralCount>($"""
                select regexp_replace(split_part(h.reason, '; expected to move at ', 1), ' until [0-9:.]+ UTC', '') as "Reason", count(*)::int as "Count"
                from tasks t join history h on h.subject_id = t.id where t.summary_id = {id} and h.entry = 'Deferred' and h.reason is not null
                group by 1 order by 2 desc, 1 limit {MostReasons}
                """).ToListAsync(cancellationToken),
        };
    }

    public async Task<Standing?> Known(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await db.Summaries.AsNoTracking().Where(s => s.CorrelationId == id)
            .Select(s => new Standing(s.CorrelationId, s.Tenant, s.State)).FirstOrDefaultAsync(cancellationToken);
    }

    private static async Task<SummaryProgress?> ReadProgress(QueueDb db, Guid id, CancellationToken cancellationToken)
    {
        if (await db.Summaries.AsNoTracking().FirstOrDefaultAsync(s => s.CorrelationId == id, cancellationToken) is not { } row)
            return null;
        var groups = await db.Database.SqlQuery<TaskGroup>($"""
            select answered_model as "Model", waiting_for as "WaitingFor", regexp_replace(wait_reason, ' until [0-9:.]+ UTC', '') as "WaitReason", min(expected_at) as "ExpectedAt",
                count(*)::int as "Tasks", (count(*) filter (where summary_role = 'page'))::int as "Pages",
                sum(input_tokens)::bigint as "InputTokens", sum(output_tokens)::bigint as "OutputTokens", sum(cost_usd) as "CostUsd", bool_or(cost_unknown) as "CostUnknown"
            from tasks where summary_id = {id} group by 1, 2, 3
            """).ToListAsync(cancellationToken);
        // A page too long for one call is several tasks: it is done when all of them are, and failed when all have ended and
        // one without an answer.
        var pages = await db.Database.SqlQuery<PageCount>($"""
            select (count(*) filter (where done and extract is null))::int as "Done", (count(extract))::int as "Extracted", (count(*) filter (where ended and not done and extract is null))::int as "Failed"
            from (select page_number as number, bool_and(state = 'Completed') as done, bool_and(ended_at is not null) as ended from tasks
                where summary_id = {id} and summary_role = 'page' group by page_number) p
            full join (select substr(part, 9)::int as extract from payloads where subject_id = {id} and part like 'extract/%') e on e.extract = p.number
            """).SingleAsync(cancellationToken);
        var calls = await db.Database.SqlQuery<CallTotals>($"""
            select count(a.started_at)::int as "Made", (count(*) filter (where a.ended_at is null))::int as "Open", (count(*) filter (where a.outcome = 'throttled'))::int as "Throttled",
                (count(*) filter (where a.outcome not in ('throttled', 'answered', 'canceled')))::int as "OtherFaults"
            from tasks t join attempts a on a.task_id = t.id where t.summary_id = {id}
            """).SingleAsync(cancellationToken);
        return Progress(row, groups, pages, calls);
    }

    private static SummaryProgress Progress(SummaryRow row, List<TaskGroup> groups, PageCount pages, CallTotals calls)
    {
        // Where the summary ended before its pages became tasks, none of them has a summary.
        var done = pages.Done + pages.Extracted;
        var failed = row.EndedAt is null ? pages.Failed : row.Pages - done;
        return new SummaryProgress
        {
            Id = row.CorrelationId, State = row.State, Tenant = row.Tenant, Question = row.Question, Reason = row.FailureReason,
            SubmittedAt = row.SubmittedAt, EndedAt = row.EndedAt, Metadata = Labels.Read(row.Metadata),
            Progress = new PageProgress(row.Pages, done, pages.Extracted, failed, row.Stage, row.StageTasks, row.OpenTasks),
            Waiting = [.. groups.Where(g => g.WaitingFor is not null).GroupBy(g => (g.WaitingFor, g.WaitReason))
                .Select(g => new WaitView(g.Key.WaitingFor!, g.Key.WaitReason ?? "", g.Sum(x => x.Tasks), g.Min(x => x.ExpectedAt)))
                .OrderByDescending(w => w.Count).ThenBy(w => w.Reason, StringComparer.Ordinal).Take(MostReasons)],
            Models = [.. groups.Where(g => g.Model is not null).GroupBy(g => g.Model!)
                .Select(g => new ModelUse(g.Key, g.Sum(x => x.Tasks), g.Sum(x => x.Pages), g.Sum(x => x.InputTokens),
                    g.Sum(x => x.OutputTokens), Cost(g)))
                .OrderByDescending(m => m.Tasks).ThenBy(m => m.Model, StringComparer.Ordinal)],
            Usage = new LlmUsage(groups.Sum(g => g.InputTokens), groups.Sum(g => g.OutputTokens)),
            CostUsd = Cost(groups), CallTotals = calls,
        };
    }

    private static decimal? Cost(IEnumerable<TaskGroup> groups)
    {
        var list = groups.ToList();
        return list.Exists(g => g.CostUnknown) ? null : list.Sum(g => g.CostUsd);
    }

    private static async Task<List<PageResult>> ReadPages(
        QueueDb db, Guid id, SummaryProgress standing, CancellationToken cancellationToken)
    {
        var parts = await (
            from task in db.Tasks.AsNoTracking()
            where task.SummaryId == id && task.SummaryRole == SummaryRoles.Page
            from answer in db.Payloads.Where(p => p.SubjectId == task.CorrelationId && p.Part == PayloadRow.Answer).DefaultIfEmpty()
            orderby task.PageNumber, task.PartNumber
            select new PagePart(task.PageNumber ?? 0, task.Title, task.State, task.AnsweredModel, answer!.Content,
                task.FailureReason)).ToListAsync(cancellationToken);
        var byNumber = parts.GroupBy(p => p.Number).ToDictionary(g => g.Key, g => g.ToList());
        var extracts = standing.Progress.PagesExtracted == 0
            ? []
            : (await db.Payloads.AsNoTracking().Where(p => p.SubjectId == id && p.Part.StartsWith("extract/"))
                .Select(p => p.Content).ToListAsync(cancellationToken))
            .Select(c => JsonSerializer.Deserialize<Extract>(c, StoredJson.Options)!).ToDictionary(e => e.Number);
        return [.. Enumerable.Range(1, standing.Progress.Pages).Select(
            n => Extracted(byNumber.TryGetValue(n, out var page) ? Page(n, page) : NotYet(n, standing), extracts.GetValueOrDefault(n)))];
    }

    /// <summary>
    /// A page that has no task: it is too early, or the summary ended before. Its title is in its text, which is too much to read for that.
    /// </summary>
    private static PageResult NotYet(int number, SummaryProgress standing) =>
        new()
        {
            Number = number, Title = $"Page {number}", State = standing.EndedAt is null ? SummaryStates.Submitted : standing.State,
            Reason = standing.EndedAt is null ? null : standing.Reason,
        };

    private static PageResult Extracted(PageResult page, Extract? extract) =>
        extract is null
            ? page
            : page with { Title = extract.Title, State = PageStates.Extracted, Summary = extract.Text, Reason = extract.Reason };

    private static PageResult Page(int number, List<PagePart> parts)
    {
        var lost = parts.Find(p => TaskStates.Ends.Contains(p.State) && p.State != TaskStates.Completed);
        var open = parts.Find(p => !TaskStates.Ends.Contains(p.State));
        var written = open is null ? parts.FindAll(p => p.Answer is not null) : [];
        return new PageResult
        {
            Number = number, Title = parts[0].Title ?? $"Page {number}",
            State = (open ?? lost ?? parts[0]).State,
            Model = written.Count == 0 ? null : string.Join(", ", written.Select(p => p.Model).Distinct()),
            Summary = written.Count == 0 ? null : string.Join("\n\n", written.Select(p => p.Answer)),
            Reason = lost?.Reason,
        };
    }

    private sealed record PagePart(int Number, string? Title, string State, string? Model, string? Answer, string? Reason);

    private sealed record PageCount(int Done, int Extracted, int Failed);

    /// <summary>As its row keeps it.</summary>
    private sealed record Extract(int Number, string Title, string Text, string Reason);

    private sealed record TaskGroup(
        string? Model, string? WaitingFor, string? WaitReason, DateTime? ExpectedAt, int Tasks, int Pages, long InputTokens,
        long OutputTokens, decimal CostUsd, bool CostUnknown);
}
