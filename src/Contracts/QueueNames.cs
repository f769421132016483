using System.Collections.Concurrent;

namespace LlmQueue.Contracts;

/// <summary>
/// The broker's queues, and which command goes to which. The backlog is rows in the database: none of these queues grows with it.
/// </summary>
public static class QueueNames
{
    /// <summary>
    /// <see cref="LlmTask"/> from producers. Apart from the lifecycle, so that a flood of new work cannot stand before answers.
    /// </summary>
    public const string Intake = "llm-tasks";

    /// <summary>Commands to the state machine of a task.</summary>
    public const string Lifecycle = "llm-task-lifecycle";

    /// <summary>Calls of providers without a queue of their own; also the prefix of those that have one.</summary>
    public const string Calls = "llm-provider-calls";

    /// <summary><see cref="SummarizePages"/> from producers.</summary>
    public const string SummaryIntake = "llm-summaries";

    /// <summary>Commands to the state machine of a summary.</summary>
    public const string SummaryLifecycle = "llm-summary-lifecycle";

    /// <summary>Batches that are to be moved on.</summary>
    public const string Batches = "llm-batches";

    private static readonly ConcurrentDictionary<string, Uri> CallsAddresses = new(StringComparer.Ordinal);
    private static readonly Uri CallsAddress = new($"exchange:{Calls}");
    private static readonly Uri LifecycleAddress = new($"exchange:{Lifecycle}");
    private static readonly Uri BatchAddress = new($"exchange:{Batches}");
    private static readonly Uri SummaryAddress = new($"exchange:{SummaryLifecycle}");

    /// <summary>The queue with the calls of one provider: a worker answers so many of each at once, whatever the others do.</summary>
    /// <param name="provider">The provider's name in the catalogue, for example <c>groq</c>.</param>
    /// <returns>The queue's name.</returns>
    public static string CallsOf(string provider) => $"{Calls}-{provider}";

    /// <summary>Where a command is sent.</summary>
    /// <param name="command">One of the command records of this namespace.</param>
    /// <returns>The address of its queue's exchange.</returns>
    /// <exception cref="ArgumentException">No queue answers a command of that type.</exception>
    public static Uri AddressOf(object command) => command switch
    {
        CallProvider { Provider: { } provider } => CallsAddresses.GetOrAdd(provider, static p => new Uri($"exchange:{CallsOf(p)}")),
        CallProvider => CallsAddress,
        StageSettled or StartSummary or SummaryDeadlineNears or CancelSummary => SummaryAddress,
        MoveBatch => BatchAddress,
        StartTask or CapacityGranted or BudgetReleased or RetryDelayElapsed or LeaseExpired or CancelTask or DeadlinePassed =>
            LifecycleAddress,
        _ => throw new ArgumentException($"No queue answers {command.GetType().Name}."),
    };
}
