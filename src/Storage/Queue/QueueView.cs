using LlmQueue.Catalogue;
using LlmQueue.Limits;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Storage.Queue;

/// <summary>The queue as a whole: what is in it, what it waits for, and what may still be asked of whom.</summary>
public sealed record QueueView
{
    public required DateTime At { get; init; }

    /// <summary>Tasks by state; states without a task are left out.</summary>
    public required IReadOnlyDictionary<string, long> Tasks { get; init; }

    /// <summary>Summaries by state, likewise.</summary>
    public required IReadOnlyDictionary<string, long> Summaries { get; init; }
    public required IReadOnlyList<WaitQueueView> Waiting { get; init; }
    public required IReadOnlyList<BucketStatus> Buckets { get; init; }
    public required IReadOnlyList<BudgetStatus> Budgets { get; init; }
    public required IReadOnlyList<KeyStatus> Keys { get; init; }

    /// <summary>Models in use that retire within two months, or have without a successor; soonest first.</summary>
    public required IReadOnlyList<Retirement> Retirements { get; init; }
}

/// <summary>Tasks that wait in one line for one reason.</summary>
public sealed record WaitQueueView
{
    public required string WaitingFor { get; init; }

    /// <summary>Without the moment it ends.</summary>
    public required string Reason { get; init; }

    /// <summary>The buckets that may serve the line, or the budget that is spent.</summary>
    public required IReadOnlyList<string> Buckets { get; init; }
    public required int Count { get; init; }
    public DateTime? ExpectedAt { get; init; }
    public DateTime? OldestSince { get; init; }
}

/// <summary>What one organisation may still ask of one model; levels as of now.</summary>
public sealed record BucketStatus
{
    public required string Id { get; init; }
    public required string Model { get; init; }
    public required string Organisation { get; init; }
    public required IReadOnlyList<WindowStatus> Windows { get; init; }
    public DateTime? ClosedUntil { get; init; }
    public string? ClosedReason { get; init; }
    public string? DisabledReason { get; init; }
    public required BreakerStatus Breaker { get; init; }
    public required int Waiting { get; init; }
    public required long RequestsInFlight { get; init; }
    public required long TokensInFlight { get; init; }
    public required long Throttled { get; init; }
}

/// <summary>A bucket's circuit breaker, the same for all workers.</summary>
/// <param name="State"><c>closed</c>, <c>open</c> (nothing is sent but probes) or <c>recovering</c> (calls come back step by step).</param>
/// <param name="Reason">Why it opened; null when it has not.</param>
/// <param name="Since">When it opened.</param>
/// <param name="NextProbeAt">When the next call is let through; null unless it is open.</param>
/// <param name="AnsweredAt">When the provider last answered, were it with a refusal.</param>
public sealed record BreakerStatus(string State, string? Reason, DateTime? Since, DateTime? NextProbeAt, DateTime? AnsweredAt);

/// <summary>One limit and what is left of it now; a window that is not limited is left out.</summary>
/// <param name="Name"><c>requestsPerMinute</c>, <c>requestsPerDay</c>, <c>tokensPerMinute</c> or <c>tokensPerDay</c>.</param>
/// <param name="Limit">As the catalogue or the provider says.</param>
/// <param name="Level">What may be taken now; below 0 when more was taken than there was.</param>
public sealed record WindowStatus(string Name, double Limit, double Level);

/// <summary>A budget whose period runs; null as a limit is unlimited.</summary>
public sealed record BudgetStatus(
    string Id, string Scope, DateTime PeriodStart, DateTime PeriodEnd, decimal? LimitUsd, decimal SpentUsd, decimal InFlightUsd,
    int Waiting);

/// <summary>A key by its alias; the key itself is stored nowhere.</summary>
public sealed record KeyStatus(
    string Alias, string Provider, string Organisation, long Calls, long Throttled, long Faults, long InputTokens, long OutputTokens,
    DateTime? LastUsedAt, string? RefusedReason, DateTime? RefusedAt);
