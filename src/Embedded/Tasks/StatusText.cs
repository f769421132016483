using System.Globalization;
using System.Text;
using LlmQueue.Embedded.Summarizing;
using LlmQueue.Hosting;
using LlmQueue.Storage.Queue;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Embedded.Tasks;

/// <summary>The text of the status command: the queue, a task or a summary. Pure.</summary>
internal static class StatusText
{
    /// <summary>Up to this share of each of its windows a limit is not worth a line.</summary>
    private const double QuietShare = 0.01;

    private static readonly Dictionary<string, string> Windows = new(StringComparer.Ordinal)
    {
        ["requestsPerMinute"] = "calls/min", ["requestsPerDay"] = "calls/day", ["tokensPerMinute"] = "tokens/min",
        ["tokensPerDay"] = "tokens/day",
    };

    public static string Of(QueueView queue)
    {
        var text = new StringBuilder();
        Row(text, $"Tasks      {States(queue.Tasks)}");
        Row(text, $"Summaries  {States(queue.Summaries)}");
        foreach (var line in queue.Waiting)
            Row(text, $"Waiting    {line.Count} for {line.WaitingFor}: {line.Reason}{Expected(line.ExpectedAt, queue.At)}");
        foreach (var budget in queue.Budgets)
            Row(text,
                $"Budget     {budget.Id}: {ReportText.Money(budget.SpentUsd)} spent, {ReportText.Money(budget.InFlightUsd)} reserved, "
                    + $"{(budget.LimitUsd is null ? "unlimited" : $"of {ReportText.Money(budget.LimitUsd)}")}"
                    + $"{(budget.Waiting > 0 ? $", {budget.Waiting} waiting" : "")}");
        foreach (var key in queue.Keys)
            Row(text, $"Key        {key.Alias}: {ReportText.Count(key.Calls, "call")}, {key.Throttled} refused for a limit, "
                + $"{ReportText.Count(key.Faults, "fault")}{(key.RefusedReason is null ? "" : $"; NOT ACCEPTED: {key.RefusedReason}")}");
        foreach (var bucket in queue.Buckets.Where(IsOfInterest))
            Row(text,
                $"Limit      {bucket.Id}: "
                    + $"{Used(bucket)}{(bucket.Waiting > 0 ? $", {bucket.Waiting} waiting" : "")}{State(bucket, queue.At)}");
        // Windows refill all the time: a few calls are soon not to be seen in them any more, which is not to say that there were none.
        if (queue.Buckets.Count(bucket => !IsOfInterest(bucket)) is > 0 and var quiet)
            Row(text,
                $"Limits     {(quiet == queue.Buckets.Count ? $"all {quiet}" : $"{quiet} others")} open, "
                    + $"at most {QuietShare:P0} of a window in use");
        return text.ToString();
    }

    public static string Of(TaskView task)
    {
        var text = new StringBuilder();
        Row(text, $"Task       {task.Id}{(task.Title is null ? "" : $", {task.Title}")}");
        var expected = task.ExpectedAt is { } at ? $"; expected at {Time(at)} UTC" : "";
        Row(text, $"State      {task.State}"
            + (task.WaitingFor is null ? "" : $": waits for {task.WaitingFor}, {task.WaitReason}{expected}")
            + $"{(task.Reason is null ? "" : $": {task.Reason}")}");
        Row(text, $"Kind       {task.Kind ?? "not known yet"}, complexity {task.Complexity ?? "not known yet"}, priority {task.Priority}");
        Row(text, $"Route      {task.Route ?? "none yet"}{(task.Chain.Count == 0 ? "" : $": {string.Join(" → ", task.Chain)}")}");
        Row(text,
            $"Used       {task.Usage.InputTokens:N0} tokens in, {task.Usage.OutputTokens:N0} out, cost {ReportText.Money(task.CostUsd)}");
        foreach (var attempt in task.Attempts)
            Row(text,
                $"Attempt {attempt.Number}  {attempt.Model} through {attempt.KeyAlias}: "
                    + $"{attempt.Outcome ?? (attempt.StartedAt is null ? "not begun" : "on its way")}"
                    + $"{(attempt.Ms is { } ms ? $" after {ms:N0} ms" : "")}"
                    + $"{(attempt.Detail is null ? "" : $", {attempt.Detail}")} ({attempt.Why})");
        foreach (var entry in task.History)
            Row(text,
                $"{Time(entry.At)}  {entry.Entry}{(entry.Entry == entry.State ? "" : $" → {entry.State}")}"
                    + $"{(entry.Reason is null ? "" : $": {entry.Reason}")}");
        if (task.Output is not null)
            text.AppendLine().AppendLine(VisibleText.Block(task.Output.Trim()));
        return text.ToString();
    }

    public static string Of(SummaryView summary)
    {
        var text = new StringBuilder();
        Row(text,
            $"Summary    {summary.Id}, {ProgressText.Stage(summary)}, {summary.Progress.PagesDone} of "
                + $"{ReportText.Count(summary.Progress.Pages, "page")}, handed in {Time(summary.SubmittedAt)} UTC");
        foreach (var wait in summary.Waiting)
            Row(text, $"Waiting    {wait.Count} for {wait.WaitingFor}: {wait.Reason}");
        return text.AppendLine().ToString();
    }

    /// <summary>One line, whatever stands in kinds, titles, reasons and what providers said.</summary>
    private static void Row(StringBuilder text, string row) => text.AppendLine(VisibleText.Line(row));

    private static string States(IReadOnlyDictionary<string, long> counts) =>
        counts.Count == 0 ? "none" : string.Join(", ", counts.Select(pair => $"{pair.Value:N0} {pair.Key}"));

    private static bool IsOfInterest(BucketStatus bucket) =>
        bucket.ClosedReason is not null || bucket.DisabledReason is not null || bucket.Waiting > 0
            || bucket.RequestsInFlight > 0 || bucket.Windows.Any(w => Share(w) > QuietShare);

    private static string Used(BucketStatus bucket) => bucket.Windows.Count == 0 ? "not limited"
        : string.Join(", ", bucket.Windows.Select(w =>
            $"{Share(w).ToString("P0", CultureInfo.InvariantCulture)} of {w.Limit:N0} {Windows.GetValueOrDefault(w.Name, w.Name)} used"));

    private static double Share(WindowStatus window) => window.Limit <= 0 ? 1 : Math.Max(0, 1 - (window.Level / window.Limit));

    private static string State(BucketStatus bucket, DateTime now) => bucket.DisabledReason is { } off ? $"; OFF: {off}"
        : bucket.ClosedUntil is { } until ? $"; closed for {ReportText.Duration((until - now).TotalSeconds)}: {bucket.ClosedReason}" : "";

    private static string Expected(DateTime? at, DateTime now) =>
        at is not { } time ? "" : time <= now ? "; the next any moment" : $"; the next in {ReportText.Duration((time - now).TotalSeconds)}";

    private static string Time(DateTime at) => at.ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture);
}
