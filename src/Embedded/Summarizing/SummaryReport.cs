using LlmQueue.Contracts;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Embedded.Summarizing;

/// <summary>The report of a summary: what is shown at the end and written to --out and --json.</summary>
internal sealed record SummaryReport
{
    public required Guid Id { get; init; }
    public required string State { get; init; }
    public required bool Simulated { get; init; }
    public string? Question { get; init; }
    public string? Answer { get; init; }
    public string? Summary { get; init; }

    /// <summary>No model wrote the summary: it is made of sentences of the pages' summaries.</summary>
    public bool IsExtract { get; init; }

    /// <summary>Why there is no summary, or what is missing from it.</summary>
    public string? Reason { get; init; }

    /// <summary>All of them, in the order of their paths: files that could not be read stand where their page would.</summary>
    public required IReadOnlyList<PageResult> Pages { get; init; }
    public required IReadOnlyList<ModelUse> Models { get; init; }
    public required LlmUsage Usage { get; init; }

    /// <summary>US dollars; null when a price is unknown.</summary>
    public decimal? CostUsd { get; init; }
    public required int Calls { get; init; }

    /// <summary>Calls that a provider refused for a limit.</summary>
    public required int Refused { get; init; }

    /// <summary>Calls that met a fault, each made again while there was hope.</summary>
    public required int Retried { get; init; }
    public required IReadOnlyList<DeferralCount> Deferrals { get; init; }
    public required double Seconds { get; init; }

    public int PagesDone => Pages.Count(page => page.State is TaskStates.Completed or PageStates.Extracted);
    public int PagesExtracted => Pages.Count(page => page.State == PageStates.Extracted);
    public int PagesFailed => Pages.Count - PagesDone;

    /// <summary>Pages that the model wrote, or a part of which it wrote.</summary>
    public int PagesOf(string model) => Pages.Count(page => page.Model?.Split(", ").Contains(model) == true);

    public static SummaryReport Of(SummaryView view, IReadOnlyList<PageFile>? files, bool simulated)
    {
        return new SummaryReport
        {
            Id = view.Id, State = view.State, Simulated = simulated, Question = view.Question, Answer = view.Answer, Summary = view.Summary,
            IsExtract = view.IsExtract, Reason = view.Reason,
            Pages = files is null ? view.Pages : Merge(view.Pages, files), Models = view.Models, Usage = view.Usage, CostUsd = view.CostUsd,
            Calls = view.Calls.Sum(c => c.Calls), Refused = view.Calls.Sum(c => c.Throttled), Retried = view.Calls.Sum(c => c.OtherFaults),
            Deferrals = view.Deferrals, Seconds = Math.Round(((view.EndedAt ?? view.SubmittedAt) - view.SubmittedAt).TotalSeconds, 1),
        };
    }

    /// <summary>Files that cannot be read were never handed in; they fail here, under their own name and in their own place.</summary>
    internal static IReadOnlyList<PageResult> Merge(IReadOnlyList<PageResult> results, IReadOnlyList<PageFile> files)
    {
        var handedIn = new Queue<PageResult>(results);
        var pages = new List<PageResult>();
        foreach (var file in files)
        {
            var number = pages.Count + 1;
            pages.Add(file.Content is not null && handedIn.TryDequeue(out var result)
                ? result with { Number = number, Title = file.Title }
                : new PageResult { Number = number, Title = file.Title, State = TaskStates.Rejected, Reason = file.Wrong });
        }

        return pages;
    }
}
