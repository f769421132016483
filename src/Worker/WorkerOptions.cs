namespace LlmQueue.Worker;

/// <summary>
/// The options of a worker. Each is an environment variable of the same name in capitals (CALL_TIMEOUT_SECONDS); the defaults serve one
/// machine.
/// </summary>
public sealed record WorkerOptions
{
    /// <summary>
    /// How long one call may take before it counts as timed out. Default 60 s. Too short wastes paid answers; too long holds a
    /// task on a dead provider.
    /// </summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// How long the small model may take to say what a task is. Default 3 s. Too short sends good tasks down the default route; too long
    /// holds up what nobody was sure of.
    /// </summary>
    public TimeSpan ClassifierTimeout { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>
    /// How long a call may take while another model of the task's chain could be asked instead. Default 10 s; a model's
    /// <c>firstChoiceTimeoutSeconds</c> in the catalogue goes before it. The last of a chain has CALL_TIMEOUT. Too short pays for answers
    /// that nobody hears; too long keeps every task of a provider that hangs.
    /// </summary>
    public TimeSpan FirstChoiceTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Calls a worker has open at once with one provider. Default 256. The limits of the providers bind long before this does; it bounds
    /// memory. Each provider has its own, so one that hangs takes nothing from the others.
    /// </summary>
    public int ConcurrentCalls { get; init; } = 256;

    /// <summary>
    /// Faults of its own (unusable answers, lost workers, faults that a provider met with this task alone) after which a task fails.
    /// Default 6. Waiting for limits or money is never counted, nor are outages of providers.
    /// </summary>
    public int MaxFaults { get; init; } = 6;

    /// <summary>
    /// How long a task without a deadline is tried while its providers are down. Default 24 hours. With a deadline it is tried until then.
    /// </summary>
    public TimeSpan KeepTrying { get; init; } = TimeSpan.FromHours(24);

    /// <summary>The first back-off after a fault; each further one doubles it, up to a minute, plus a random part. Default 1 s.</summary>
    public TimeSpan FirstBackOff { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// A worker not seen for this long counts as gone and its open calls are made again. Default 15 s. It is seen every fifth of it.
    /// </summary>
    public TimeSpan WorkerGoneAfter { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// A claim that this worker hears of later than this is asked for again before anything is called: the worker may have counted as gone
    /// meanwhile, and its attempts may be others'.
    /// </summary>
    public TimeSpan ClaimsHoldFor => WorkerGoneAfter / 2;

    /// <summary>How often the rescuer looks for what a crash left behind. Default 5 s.</summary>
    public TimeSpan RescueEvery { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// The capacity scheduler runs a cycle at most this often. Default 50 ms: the longest a task waits although there is capacity.
    /// </summary>
    public TimeSpan Tick { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// A task that has waited this long behind higher priorities counts as aged. Default 30 s. Too short takes from those that are in a
    /// hurry; too long lets batches stand still under steady load.
    /// </summary>
    public TimeSpan AgeAfter { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>One grant in so many goes to an aged task. Default 8. 1 gives every grant to the aged as long as there are any.</summary>
    public int AgedEvery { get; init; } = 8;

    /// <summary>
    /// Whether a task that a budget cannot pay for is rejected at once. Default off: it waits for the next period, or until
    /// the budget is raised.
    /// </summary>
    public bool RejectAtBudgetLimit { get; init; }

    /// <summary>
    /// Whether what runs have taught may put a route's models in another order. Default on. Off leaves every route as the catalogue has it;
    /// runs are counted all the same.
    /// </summary>
    public bool Ranking { get; init; } = true;

    /// <summary>
    /// Whether pages are spread over their pool by what is known of its models: complexity, faults, latency, price. Default on. Off gives
    /// each page to the emptiest.
    /// </summary>
    public bool PoolAdjustment { get; init; } = true;

    /// <summary>Ended tasks are kept this long. Default 30 days.</summary>
    public TimeSpan KeepEnded { get; init; } = TimeSpan.FromDays(30);
}
