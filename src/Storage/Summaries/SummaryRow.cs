using LlmQueue.Contracts;
using MassTransit;

namespace LlmQueue.Storage.Summaries;

/// <summary>
/// A set of pages on its way to one summary: the parent saga. Its pages, merges, synthesis and answer are ordinary tasks.
/// </summary>
public sealed class SummaryRow : SagaStateMachineInstance
{
    public Guid CorrelationId { get; set; }
    public int Version { get; set; }
    public string State { get; set; } = "Initial";
    public string Tenant { get; set; } = "default";
    public string? Question { get; set; }
    public string? Model { get; set; }
    public short Priority { get; set; } = Priorities.Batch;
    public DateTime? Deadline { get; set; }
    public string? Metadata { get; set; }
    public int Pages { get; set; }

    /// <summary>Counts stages: plan, pages, each merge level, synthesis, answer. The fencing token of StageSettled.</summary>
    public int Stage { get; set; }
    /// <summary>Tasks of the current stage that have not ended; the commit that takes the last one off sends StageSettled.</summary>
    public int OpenTasks { get; set; }
    public int StageTasks { get; set; }

    public string? FailureReason { get; set; }
    public DateTime SubmittedAt { get; set; }
    public DateTime UpdatedAt { get; set; }
    public DateTime CommandSentAt { get; set; }
    public DateTime? EndedAt { get; set; }
}

/// <summary>The states of a summary.</summary>
public static class SummaryStates
{
    public const string Submitted = "Submitted";
    public const string Planning = "Planning";
    public const string SummarizingPages = "SummarizingPages";
    public const string Merging = "Merging";
    public const string Synthesizing = "Synthesizing";
    public const string Answering = "Answering";
    public const string Completed = "Completed";
    public const string Failed = "Failed";
    public const string Canceled = "Canceled";

    public static readonly IReadOnlyList<string> All =
        [Submitted, Planning, SummarizingPages, Merging, Synthesizing, Answering, Completed, Failed, Canceled];
    public static readonly IReadOnlyList<string> Ends = [Completed, Failed, Canceled];
}

/// <summary>States of a page besides those of its tasks.</summary>
public static class PageStates
{
    /// <summary>No model could take it in time; sentences of its own stand in for a summary.</summary>
    public const string Extracted = "Extracted";
}

/// <summary>The roles a task can have within a summary.</summary>
public static class SummaryRoles
{
    public const string Plan = "plan";
    public const string Page = "page";
    public const string Merge = "merge";
    public const string Synthesis = "synthesis";
    public const string Answer = "answer";
}
