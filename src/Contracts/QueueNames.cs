namespace LlmQueue.Contracts;

/// <summary>The queues, and which command goes to which. Backlog lives in rows: none of these grows with it.</summary>
public static class QueueNames
{
    /// <summary>LlmTask from producers. Apart from the lifecycle, so that a flood of new work cannot stand before answers.</summary>
    public const string Intake = "llm-tasks";
    public const string Lifecycle = "llm-task-lifecycle";
    public const string Calls = "llm-provider-calls";

    /// <summary>The calls of one provider: a worker answers so many of each at once, whatever the others do.</summary>
    public static string CallsOf(string provider) => $"{Calls}-{provider}";

    public const string SummaryIntake = "llm-summaries";
    public const string SummaryLifecycle = "llm-summary-lifecycle";
    public const string Batches = "llm-batches";

    public static Uri AddressOf(object command) => command switch
    {
        CallProvider { Provider: { } provider } => CallsAddresses.GetOrAdd(provider, static p => new Uri($"exchange:{CallsOf(p)}")),
        CallProvider => CallsAddress,
        StageSettled or StartSummary or SummaryDeadlineNears or CancelSummary => SummaryAddress,
        MoveBatch => BatchAddress,
        StartTask or CapacityGranted or BudgetReleased or RetryDelayElapsed or LeaseExpired or CancelTask or DeadlinePassed => LifecycleAddress,
        _ => throw new ArgumentException($"No queue answers {command.GetType().Name}."),
    };

    private static readonly System.Collections.Concurrent.ConcurrentDictionary<string, Uri> CallsAddresses = new(StringComparer.Ordinal);
    private static readonly Uri CallsAddress = new($"exchange:{Calls}");
    private static readonly Uri LifecycleAddress = new($"exchange:{Lifecycle}");
    private static readonly Uri BatchAddress = new($"exchange:{Batches}");
    private static readonly Uri SummaryAddress = new($"exchange:{SummaryLifecycle}");
}
