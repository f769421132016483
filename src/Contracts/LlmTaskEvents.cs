using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmQueue.Contracts;

/// <summary>The task has its answer. Published at least once; the same task never completes with two different answers.</summary>
public sealed record LlmTaskCompleted
{
    /// <summary>The task.</summary>
    public required Guid TaskId { get; init; }
    /// <summary>Whose task it was.</summary>
    public required string Tenant { get; init; }
    /// <summary>The answer's text.</summary>
    public required string Output { get; init; }
    /// <summary>The model that answered, as <c>provider:model</c>.</summary>
    public required string Model { get; init; }
    /// <summary>Tokens, from the provider's usage.</summary>
    public required LlmUsage Usage { get; init; }
    /// <summary>Cost in US dollars from the catalogue's prices; null when a price is unknown, never 0 for unknown.</summary>
    public decimal? CostUsd { get; init; }
    /// <summary>Calls made for this task, the answered one included.</summary>
    public required int Attempts { get; init; }
    /// <summary>When the queue accepted it (UTC).</summary>
    public required DateTimeOffset SubmittedAt { get; init; }
    /// <summary>When the answer was committed (UTC).</summary>
    public required DateTimeOffset CompletedAt { get; init; }
    /// <summary>The caller's labels.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>The task waits. Nothing is lost and no attempt is burned; it moves by itself.</summary>
public sealed record LlmTaskDeferred
{
    /// <summary>The task.</summary>
    public required Guid TaskId { get; init; }
    /// <summary>Whose task it is.</summary>
    public required string Tenant { get; init; }
    /// <summary><c>capacity</c>, <c>budget</c> or <c>retry</c>.</summary>
    public required string WaitingFor { get; init; }
    /// <summary>Why, as a sentence.</summary>
    public required string Reason { get; init; }
    /// <summary>When it is expected to move (UTC); an estimate.</summary>
    public DateTimeOffset? ExpectedAt { get; init; }
    /// <summary>When it began to wait (UTC).</summary>
    public required DateTimeOffset At { get; init; }
    /// <summary>The caller's labels.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>The task goes to another model than its first choice.</summary>
public sealed record LlmTaskDowngraded
{
    /// <summary>The task.</summary>
    public required Guid TaskId { get; init; }
    /// <summary>Whose task it is.</summary>
    public required string Tenant { get; init; }
    /// <summary>The first choice, as <c>provider:model</c>.</summary>
    public required string From { get; init; }
    /// <summary>The model taken instead.</summary>
    public required string To { get; init; }
    /// <summary>Why, as a sentence.</summary>
    public required string Reason { get; init; }
    /// <summary>When (UTC).</summary>
    public required DateTimeOffset At { get; init; }
    /// <summary>The caller's labels.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>The task ended without an answer: every way was tried, or its deadline passed.</summary>
public sealed record LlmTaskFailed
{
    /// <summary>The task.</summary>
    public required Guid TaskId { get; init; }
    /// <summary>Whose task it was.</summary>
    public required string Tenant { get; init; }
    /// <summary><c>failed</c> or <c>expired</c>.</summary>
    public required string Code { get; init; }
    /// <summary>Why, as a sentence.</summary>
    public required string Reason { get; init; }
    /// <summary>Calls made.</summary>
    public required int Attempts { get; init; }
    /// <summary>When (UTC).</summary>
    public required DateTimeOffset At { get; init; }
    /// <summary>The caller's labels.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>
/// The task could never run as asked; no call was made. The reason says what was found, what was expected and what to do.
/// </summary>
public sealed record LlmTaskRejected
{
    /// <summary>The task.</summary>
    public required Guid TaskId { get; init; }
    /// <summary>Whose task it was.</summary>
    public required string Tenant { get; init; }
    /// <summary>Why, as a sentence.</summary>
    public required string Reason { get; init; }
    /// <summary>When (UTC).</summary>
    public required DateTimeOffset At { get; init; }
    /// <summary>The caller's labels.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>The task was canceled by its owner before it had an answer.</summary>
public sealed record LlmTaskCanceled
{
    /// <summary>The task.</summary>
    public required Guid TaskId { get; init; }
    /// <summary>Whose task it was.</summary>
    public required string Tenant { get; init; }
    /// <summary>When (UTC).</summary>
    public required DateTimeOffset At { get; init; }
    /// <summary>The caller's labels.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}
