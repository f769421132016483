using System.Diagnostics.CodeAnalysis;
using LlmQueue.Contracts;

namespace LlmQueue.Storage.Tasks;

/// <summary>A task as a list shows it. Names and shapes are a promise: they are the JSON of <c>GET /v1/tasks</c>.</summary>
public record TaskItem
{
    public required Guid Id { get; init; }
    public required string State { get; init; }
    public required string Tenant { get; init; }
    public string? Title { get; init; }
    public string? Kind { get; init; }
    public string? Complexity { get; init; }
    public required string Priority { get; init; }

    /// <summary>The model that answered, as <c>provider:model</c>; null until one has.</summary>
    public string? Model { get; init; }

    /// <summary><c>capacity</c>, <c>budget</c> or <c>retry</c>; null unless it waits.</summary>
    public string? WaitingFor { get; init; }
    public string? WaitReason { get; init; }
    public DateTime? WaitingSince { get; init; }

    /// <summary>When it is expected to move (UTC); an estimate.</summary>
    public DateTime? ExpectedAt { get; init; }

    /// <summary>Tokens of all calls that were charged.</summary>
    public required LlmUsage Usage { get; init; }

    /// <summary>US dollars so far; null when a call was made whose price is unknown.</summary>
    public decimal? CostUsd { get; init; }
    public required bool CostUnknown { get; init; }

    /// <summary>Why it ended without an answer.</summary>
    public string? Reason { get; init; }
    public required DateTime SubmittedAt { get; init; }
    public DateTime? EndedAt { get; init; }
    public Guid? SummaryId { get; init; }
}

/// <summary>Which tasks are listed.</summary>
public sealed record TaskFilter
{
    public string? State { get; init; }
    public string? Kind { get; init; }

    /// <summary>Null: every tenant's.</summary>
    public string? Tenant { get; init; }

    /// <summary>The last id of the page before; null for the first page.</summary>
    public Guid? After { get; init; }
    public int Limit { get; init; } = 50;
}

/// <summary>One page of a list, newest first.</summary>
/// <param name="Items">The tasks.</param>
/// <param name="Next">What to give as <c>after</c> for the next page; null on the last one.</param>
public sealed record TaskPage(IReadOnlyList<TaskItem> Items, Guid? Next);

/// <summary>Enough of a task or a summary to answer whoever hands it in again, or cancels it.</summary>
public sealed record Standing(Guid Id, string Tenant, string State);
