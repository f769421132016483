using LlmQueue.Catalogue;
using LlmQueue.Limits;

namespace LlmQueue.Storage.Tasks;

// The value objects of a task's row. Each is immutable and replaced as a whole, so that a copy of a row shares nothing that changes.

/// <summary>Where a task may go. Without a chain it is not routed yet.</summary>
public sealed record TaskRoute
{
    public static readonly TaskRoute None = new();

    /// <summary>The rule that chose the chain, and why.</summary>
    public string? Rule { get; init; }

    /// <summary>The models that may answer; null until the task is routed.</summary>
    public ModelChain? Chain { get; init; }

    /// <summary>True when the chain is a pool to balance the load over, not an order of preference.</summary>
    public bool LoadBalanced { get; init; }
}

/// <summary>The pass that a task is at, when one call is not enough. A wait and a restart go on in it.</summary>
public sealed record TaskPass
{
    public static readonly TaskPass None = new();

    /// <summary>One of <see cref="TaskPasses"/>; null while the question itself is put.</summary>
    public string? Name { get; init; }

    /// <summary>The longest answer of this pass; null is as asked.</summary>
    public int? OutputTokens { get; init; }

    /// <summary>The model whose draft is the answer until a revision is found no worse.</summary>
    public string? DraftedBy { get; init; }

    /// <summary>The model that scored the draft: one that scored another way could not be compared.</summary>
    public string? Critic { get; init; }

    /// <summary>The draft's score, 0 to 1.</summary>
    public double? DraftScore { get; init; }
}

/// <summary>What is reserved for the open attempt: part of its task's row, so it cannot leak.</summary>
public sealed record TaskReservation
{
    public static readonly TaskReservation None = new();

    /// <summary>The bucket in which capacity is reserved; null when none is.</summary>
    public string? Bucket { get; init; }

    public long Tokens { get; init; }

    /// <summary>The call's highest price in US dollars; for a task that waits for budget, only noted.</summary>
    public decimal? Usd { get; init; }

    /// <summary>The budgets that the price is reserved in; null when nothing is.</summary>
    public IdList? Budgets { get; init; }

    /// <summary>
    /// The task that leads the reservation this one has joined: one call, and its one request, serve both. Null for a reservation of its
    /// own.
    /// </summary>
    public Guid? Lead { get; init; }
}

/// <summary>What a task waits for, and its place in the queue while it does.</summary>
public sealed record TaskWait
{
    public static readonly TaskWait None = new();

    /// <summary>"capacity", "budget" or "retry"; null when it does not wait.</summary>
    public string? For { get; init; }

    public string? Reason { get; init; }

    public DateTime? Since { get; init; }

    public DateTime? ExpectedAt { get; init; }

    /// <summary>When a back-off ends, or a budget's next period begins.</summary>
    public DateTime? DueAt { get; init; }

    /// <summary>The wait queue it stands in: the buckets that may serve it. For a wait for budget, the budget's id.</summary>
    public string? QueueId { get; init; }

    /// <summary>Its place among tasks of equal priority: the tenant's virtual time at arrival, in tokens.</summary>
    public double StartTag { get; init; }

    /// <summary>The tokens it counts for in its queue.</summary>
    public double QueueTokens { get; init; }

    /// <summary>Capacity is booked and the command was sent; null while it only waits.</summary>
    public DateTime? GrantedAt { get; init; }
}
