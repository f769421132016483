using System.Diagnostics.CodeAnalysis;
using LlmQueue.Contracts;

namespace LlmQueue.Storage.Summaries;

/// <summary>The progress of a summary: everything that a progress line shows. Cheap, whatever the number of pages.</summary>
public record SummaryProgress
{
    public required Guid Id { get; init; }
    public required string State { get; init; }
    public required string Tenant { get; init; }
    public required PageProgress Progress { get; init; }
    public required IReadOnlyList<WaitView> Waiting { get; init; }
    public required IReadOnlyList<ModelUse> Models { get; init; }
    public required LlmUsage Usage { get; init; }
    public required CallTotals CallTotals { get; init; }

    /// <summary>US dollars so far; null when a call was made whose price is unknown.</summary>
    public decimal? CostUsd { get; init; }
    public string? Question { get; init; }

    /// <summary>Why there is no summary, or what is missing from it.</summary>
    public string? Reason { get; init; }
    public required DateTime SubmittedAt { get; init; }
    public DateTime? EndedAt { get; init; }
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>Pages, and the tasks of the present stage.</summary>
/// <param name="Pages">All pages.</param>
/// <param name="PagesDone">Those that are summarised, the extracted ones among them.</param>
/// <param name="PagesExtracted">Those that no model could take in time, so that sentences of their own stand in.</param>
/// <param name="PagesFailed">Those that ended without a summary.</param>
/// <param name="Stage">The stage's number: plan, pages, each level of merging, synthesis and answer count.</param>
/// <param name="StageTasks">Tasks of the present stage.</param>
/// <param name="OpenTasks">Those of them that have not ended.</param>
public sealed record PageProgress(int Pages, int PagesDone, int PagesExtracted, int PagesFailed, int Stage, int StageTasks, int OpenTasks);

/// <summary>Tasks that wait for the same thing.</summary>
/// <param name="WaitingFor"><c>capacity</c>, <c>budget</c> or <c>retry</c>.</param>
/// <param name="Reason">Why, without the moment it ends.</param>
/// <param name="Count">How many.</param>
/// <param name="ExpectedAt">When the first of them is expected to move (UTC).</param>
public sealed record WaitView(string WaitingFor, string Reason, int Count, DateTime? ExpectedAt);

/// <summary>What one model answered.</summary>
/// <param name="Model">As <c>provider:model</c>.</param>
/// <param name="Tasks">Tasks it answered.</param>
/// <param name="Pages">Those of them that summarise a page, or a part of one.</param>
/// <param name="InputTokens">Charged for these tasks.</param>
/// <param name="OutputTokens">Charged for these tasks.</param>
/// <param name="CostUsd">US dollars; null when a price is unknown.</param>
public sealed record ModelUse(string Model, int Tasks, int Pages, long InputTokens, long OutputTokens, decimal? CostUsd);

/// <summary>A summary with its pages and its result.</summary>
public sealed record SummaryView : SummaryProgress
{
    /// <summary>For readers of the API's answers.</summary>
    public SummaryView()
    {
    }

    [SetsRequiredMembers]
    internal SummaryView(SummaryProgress progress) : base(progress)
    {
    }

    /// <summary>In their order; every page is in it, whatever became of it.</summary>
    public IReadOnlyList<PageResult> Pages { get; init; } = [];
    public string? Summary { get; init; }

    /// <summary>True when no model wrote the summary: it is made of sentences of the pages' summaries.</summary>
    public bool IsExtract { get; init; }
    public string? Answer { get; init; }
    public IReadOnlyList<CallCount> Calls { get; init; } = [];
    public IReadOnlyList<DeferralCount> Deferrals { get; init; } = [];
}

/// <summary>Calls to one model, the refused ones apart: a refused one costs nothing.</summary>
public sealed record CallCount(string Model, int Calls, int Throttled, int OtherFaults);

/// <summary>Calls of a summary so far, those that are on their way among them.</summary>
public sealed record CallTotals(int Made, int Open, int Throttled, int OtherFaults);

/// <summary>How often a task of the summary had to wait for one reason.</summary>
public sealed record DeferralCount(string Reason, int Count);
