using System.Diagnostics.CodeAnalysis;
using LlmQueue.Catalogue;
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

/// <summary>A task with everything that happened to it.</summary>
public sealed record TaskView : TaskItem
{
    /// <summary>For readers of the API's answers.</summary>
    public TaskView()
    {
    }

    [SetsRequiredMembers]
    internal TaskView(TaskItem item) : base(item)
    {
    }

    public bool HighStakes { get; init; }
    public string? Agent { get; init; }
    public string? Conversation { get; init; }

    /// <summary>The model its producer asked for; null when it is routed.</summary>
    public string? RequestedModel { get; init; }
    public int MaxOutputTokens { get; init; }
    public DateTime? Deadline { get; init; }

    /// <summary>
    /// Who said what kind of task it is: <c>producer</c>, <c>rules</c>, <c>cache</c>, <c>model</c> or <c>default</c>; and how
    /// sure they were, 0 to 1.
    /// </summary>
    public string? ClassifiedBy { get; init; }
    public double? Confidence { get; init; }

    /// <summary>The rule that chose the models, and those that may still answer, first choice first.</summary>
    public string? Route { get; init; }
    public IReadOnlyList<string> Chain { get; init; } = [];
    public IReadOnlyList<AttemptView> Attempts { get; init; } = [];
    public IReadOnlyList<HistoryView> History { get; init; } = [];

    /// <summary>What the passes of a task with images or with much at stake gave, in order. Empty for every other task.</summary>
    public IReadOnlyList<PassView> Passes { get; init; } = [];
    /// <summary>What its owner's address was told; null where none was named.</summary>
    public WebhookView? Webhook { get; init; }

    /// <summary>The answer; null until there is one.</summary>
    public string? Output { get; init; }
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>The call to the task's <c>webhookUrl</c>.</summary>
/// <param name="Id">Where it is seen with all its tries, and replayed: <c>/v1/webhooks/{id}</c>; null until the task has ended.</param>
/// <param name="Url">The address.</param>
/// <param name="State"><c>waiting</c> for the task's end, <c>due</c>, <c>delivered</c> or <c>given up</c>.</param>
/// <param name="Attempts">Calls made.</param>
/// <param name="LastResult">What came of the last one.</param>
/// <param name="NextAt">When it is tried next.</param>
/// <param name="DoneAt">When it was taken or given up.</param>
public sealed record WebhookView(Guid? Id, string Url, string State, int Attempts, string? LastResult, DateTime? NextAt, DateTime? DoneAt);

/// <summary>One call to a provider.</summary>
public sealed record AttemptView
{
    public required int Number { get; init; }
    public required string Model { get; init; }

    /// <summary>The model and the fingerprint of its system as the answer named them; null without an answer.</summary>
    public string? ModelVersion { get; init; }
    public required string KeyAlias { get; init; }

    /// <summary><c>answered</c>, <c>throttled</c>, <c>timed out</c>, …; null while it is open.</summary>
    public string? Outcome { get; init; }
    public string? Detail { get; init; }
    public long? InputTokens { get; init; }
    public long? OutputTokens { get; init; }
    public decimal? CostUsd { get; init; }
    public int? Ms { get; init; }

    /// <summary>Why this model.</summary>
    public required string Why { get; init; }

    /// <summary>When a worker began the call; null while nobody has.</summary>
    public DateTime? StartedAt { get; init; }
    public DateTime? EndedAt { get; init; }
}

/// <summary>What one pass gave.</summary>
/// <param name="Pass"><c>extraction</c>, <c>draft</c>, <c>critique</c>, <c>revision</c> or <c>verdict</c>: the critique of
/// the revision.</param>
/// <param name="Text">As the model wrote it.</param>
public sealed record PassView(string Pass, string Text);

/// <summary>What happened, when, and why; <see cref="State"/> is the state after it.</summary>
public sealed record HistoryView(DateTime At, string Entry, string State, string? Reason);

/// <summary>The filter of a task list.</summary>
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

/// <summary>The state and owner of a task or summary, for a repeated submission or a cancellation.</summary>
public sealed record Standing(Guid Id, string Tenant, string State);
