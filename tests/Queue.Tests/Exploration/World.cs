using LlmQueue.Contracts;
using LlmQueue.Embedded.Summarizing;
using LlmQueue.Limits;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;
using LlmQueue.Worker.Scheduling;

namespace LlmQueue.Tests.Exploration;

/// <summary>
/// What is durable, in memory, with the meaning of the real store's statements: a transition is committed whole or not at all, against the
/// true limits (by the real ledger) and only if its row has not moved on. Rows go in and out as copies.
/// </summary>
internal sealed class World(PlantedBug bug)
{
    private static readonly Func<object, object> CopyOf = typeof(object)
        .GetMethod("MemberwiseClone", System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.NonPublic)!
        .CreateDelegate<Func<object, object>>();

    private readonly Thresholds thresholds = new();
    private int claims;

    public Dictionary<Guid, TaskRow> Tasks { get; } = [];

    public Dictionary<(Guid Task, int Number), AttemptRow> Attempts { get; } = [];

    public Dictionary<(Guid Task, string Part), string> Payloads { get; } = [];

    public List<HistoryRow> History { get; } = [];

    public List<object> Announced { get; } = [];

    public Dictionary<string, TokenBucket> Buckets { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, Budget> Budgets { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, TenantShare> Tenants { get; } = new(StringComparer.Ordinal) { [""] = new TenantShare { Name = "" } };

    public Dictionary<string, WaitQueue> Lines { get; } = new(StringComparer.Ordinal);

    /// <summary>A bucket out of which more was given than there was; null as it should be.</summary>
    public TokenBucket? Overdrawn { get; private set; }

    public DateTime Now { get; set; } = new(2026, 11, 21, 0, 10, 0, DateTimeKind.Utc);

    public TaskRow? Load(Guid id) => Tasks.TryGetValue(id, out var row) ? Copy(row) : null;

    public static T Copy<T>(T row) where T : class => (T)CopyOf(row);

    /// <summary>As GroupCommits does it for a group of one.</summary>
    public CommitOutcome Commit(UnitOfWork transition)
    {
        transition.Seal();
        if (bug == PlantedBug.ForgetsToRelease && transition.Settlement is { } settled)
        {
            transition.Settlement = settled with
            {
                Used = new ResourceDemand(settled.Used.Requests, Math.Min(settled.Used.Tokens, settled.Reserved.Demand.Tokens)),
                Reserved = settled.Reserved with { Demand = settled.Used },
            };
        }

        if (bug == PlantedBug.ForgetsToSettle && transition.Ended.Exists(attempt => attempt.Outcome == "canceled"))
        {
            transition.Settlement = null;
        }

        if (bug == PlantedBug.KeepsWhatWasGranted && transition.Ended.Count == 0)
        {
            transition.Settlement = null;
        }

        if (bug == PlantedBug.NeverLeavesTheLine)
        {
            transition.Dequeue = null;
        }

        var ledger = new LimitLedger(tables: null!, thresholds);
        if (transition.Enqueue is { } parking)
        {
            Lines.TryAdd(parking.Line.Id, parking.Line);
            Tenants.TryAdd(transition.Task!.Tenant, new TenantShare { Name = transition.Task.Tenant });
        }

        var present = Tenants[""].VirtualFinish;
        ledger.Take(Buckets.Values.Select(Copy), Budgets.Values.Select(Copy), Tenants.Values.Select(Copy), present,
            Tenants.Values.Count(tenant => tenant.VirtualFinish > present));
        var full = bug == PlantedBug.NoGuard && transition.Reservation is { } blind
            ? Unguarded(ledger, transition, blind)
            : ledger.Apply([transition]).Count > 0;
        if (full)
        {
            return CommitOutcome.NoRoom;
        }

        var task = transition.Task!;
        var stored = Tasks.GetValueOrDefault(task.CorrelationId);
        if (transition.TaskIsNew
            ? stored is not null
            : stored is null || (stored.Version != task.Version - 1 && bug != PlantedBug.NoVersionFence))
        {
            return CommitOutcome.Conflict;
        }

        // One that also settles may learn that a bucket has dripped less than was thought; one that only reserves takes what is there.
        if (transition is { Reservation: { } reserved, Settlement: null })
        {
            Draw(ledger.Buckets.First(bucket => bucket.Id == reserved.Bucket));
        }

        Write(transition, ledger);
        return CommitOutcome.Committed;
    }

    /// <summary>
    /// The claim of a call: of any number of messages for one attempt, one makes it. A claim of this worker's own that may stand already is
    /// known again by its moment.
    /// </summary>
    public bool Claim(Guid id, int number, Guid worker, DateTime? claimedAt)
    {
        if (!Tasks.TryGetValue(id, out var task) || task.Attempt != number || !IsCalled(task)
            || !Attempts.TryGetValue((id, number), out var attempt) || attempt.EndedAt is not null)
        {
            return false;
        }

        if (attempt.Worker is not null && !(attempt.Worker == worker && attempt.StartedAt == claimedAt) && bug != PlantedBug.ClaimsTwice)
        {
            return false;
        }

        // A clock moves on between two claims of one process; this world's stands still between two steps.
        (attempt.Worker, attempt.StartedAt) = (worker, claimedAt ?? Now.AddTicks(++claims));
        return true;
    }

    /// <summary>One round of the Pacer over these rows: the real plan, and the real booking for those whose rows take it.</summary>
    public IReadOnlyList<object> Pace(CyclePlanner planner, Func<TaskRow, IReadOnlyList<string>> budgetsOf)
    {
        var work = new CycleTransaction();
        work.Buckets.AddRange(Buckets.Values.Where(bucket => bucket.Waiting > 0).Select(Copy));
        work.Buckets.ForEach(bucket => BucketRule.Refill(bucket, Now));
        work.Budgets.AddRange(Budgets.Values.Select(Copy));
        if (work.Buckets.Count == 0)
        {
            return [];
        }

        var heads = Tasks.Values.Where(task => task is { State: TaskStates.WaitingForCapacity, Wait.GrantedAt: null })
            .Select(
                task => new WaitQueueHead(task.CorrelationId, task.Wait.QueueId!, task.Priority, task.Wait.StartTag, task.Wait.QueueTokens,
                task.PromptUnits, task.CallOutputTokens, task.Attempt, task.Wait.Since!.Value,
                task.CommandSentAt <= task.Wait.Since || task.CommandSentAt < Now.AddSeconds(-15), task.Pass.Name ?? task.Kind,
                budgetsOf(task),
                task.HighStakes || task.RequestedModel is not null, task.Complexity))
            .OrderBy(head => head.Priority).ThenBy(head => head.StartTag).ThenBy(head => head.Id).ToList();
        var plan = Finished(planner.Plan(heads, work, Now));
        if (heads.Count == 0)
        {
            work.Buckets.ForEach(Backlog.Clear);
        }

        var booked = plan.Grants.Where(grant => Tasks[grant.Head.Id] is { State: TaskStates.WaitingForCapacity, Wait.GrantedAt: null })
            .Select(grant => grant.Head.Id).ToHashSet();
        foreach (var grant in plan.Grants.Where(grant => booked.Contains(grant.Head.Id)))
        {
            var row = Tasks[grant.Head.Id];
            (row.Wait, row.CommandSentAt, row.Model) = (row.Wait with { GrantedAt = Now }, Now, grant.Model);
            row.Reservation = row.Reservation with
            {
                Bucket = grant.Bucket, Tokens = grant.Demand.Tokens, Usd = grant.PriceUsd, Budgets = IdList.Of(grant.Head.Budgets),
            };
            row.Version++;
        }

        CycleBooking.Book(plan, work, booked);
        foreach (var bucket in work.Buckets.Where(bucket => plan.Grants.Exists(grant => grant.Booked && grant.Bucket == bucket.Id)))
        {
            Draw(bucket);
        }

        foreach (var id in plan.ToDecideAgain)
        {
            Tasks[id].CommandSentAt = Now;
        }

        Keep(work.Buckets, work.Budgets, []);
        Tenants[""].VirtualFinish = Math.Max(Tenants[""].VirtualFinish,
            plan.Grants.Where(grant => grant.Booked).Select(grant => grant.Head.StartTag).DefaultIfEmpty(0).Max());
        return [.. plan.Grants.Where(grant => grant.Booked).Select(grant => new CapacityGranted(grant.Head.Id, grant.Head.Attempt + 1)),
            .. plan.ToDecideAgain.Select(id => new BudgetReleased(id))];
    }

    public static bool IsCalled(TaskRow task) => TaskStates.IsCalled(task.State);

    public static T Finished<T>(Task<T> task) =>
        task.IsCompleted ? task.GetAwaiter().GetResult() : throw new InvalidOperationException("Something in memory was waited for.");

    // Room is lent for the look, and taken back after.
    private static bool Unguarded(LimitLedger ledger, UnitOfWork transition, Reservation reservation)
    {
        var bucket = ledger.Buckets.First(bucket => bucket.Id == reservation.Bucket);
        (bucket.LevelRequestsMinute, bucket.LevelTokensMinute) = (bucket.LevelRequestsMinute + reservation.Demand.Requests,
            bucket.LevelTokensMinute + reservation.Demand.Tokens);
        var full = ledger.Apply([transition]).Count > 0;
        (bucket.LevelRequestsMinute, bucket.LevelTokensMinute) = (bucket.LevelRequestsMinute - reservation.Demand.Requests,
            bucket.LevelTokensMinute - reservation.Demand.Tokens);
        return full;
    }

    private void Write(UnitOfWork transition, LimitLedger ledger)
    {
        var task = transition.Task!;
        Tasks[task.CorrelationId] = Copy(task);
        foreach (var attempt in transition.Opened)
        {
            Attempts.TryAdd((attempt.TaskId, attempt.Number), Copy(attempt));
        }

        foreach (var end in transition.Ended)
        {
            if (Attempts.TryGetValue((end.TaskId, end.Number), out var attempt) && attempt.EndedAt is null)
            {
                (attempt.EndedAt, attempt.Outcome, attempt.Detail, attempt.CostUsd) = (end.EndedAt, end.Outcome, end.Detail, end.CostUsd);
            }
        }

        History.AddRange(transition.History);
        foreach (var payload in transition.Payloads)
        {
            Payloads.TryAdd((payload.SubjectId, payload.Part), payload.Content);
        }

        Announced.AddRange(transition.OutboxMessages.Select(announcement => announcement.Message));
        Keep(ledger.Buckets, ledger.Budgets, ledger.Tenants);
    }

    private void Draw(TokenBucket bucket)
    {
        if (bucket.LevelTokensMinute < -0.001 || bucket.LevelRequestsMinute < -0.001)
        {
            Overdrawn ??= bucket;
        }
    }

    private void Keep(IEnumerable<TokenBucket> buckets, IEnumerable<Budget> budgets, IEnumerable<TenantShare> tenants)
    {
        foreach (var bucket in buckets)
        {
            Buckets[bucket.Id] = bucket;
        }

        foreach (var budget in budgets)
        {
            Budgets[budget.Id] = budget;
        }

        foreach (var tenant in tenants)
        {
            Tenants[tenant.Name] = tenant;
        }
    }
}
