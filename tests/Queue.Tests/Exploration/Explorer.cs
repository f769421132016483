using System.Globalization;
using LlmQueue.Contracts;
using LlmQueue.Store.Commits;
using LlmQueue.Store.Limits;
using LlmQueue.Store.Rows;
using LlmQueue.Store.Sagas;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Admission.Pacing;
using LlmQueue.Worker.Calling;
using MassTransit;

namespace LlmQueue.Tests.Exploration;

/// <summary>
/// Lets one history happen: a few tasks, two workers, a broker that loses, doubles and reorders, a provider that answers as it likes, an owner who cancels, a clock that jumps, and crashes
/// between any two steps: before a commit, after it, before the bells, before the message is acknowledged. Everything happens on one thread, one step at a time, as the script's numbers say.
/// </summary>
internal sealed class Explorer : ISagaStore<TaskRow>
{
    private const int Workers = 2;
    private const int MostRounds = 60;

    private readonly Machine[] machines;
    private readonly List<Delivery> deliveries = [];
    private readonly List<object> broker = [];
    private readonly Guid[] identities = new Guid[Workers];
    private readonly List<LlmTask> asked = [];
    private readonly List<string> told = [];
    private World world = new(PlantedBug.None);
    private Laws laws;
    private Script script = new([], 0);
    private RoundPlanner pacer = null!;
    private PlantedBug bug;
    private Delivery? current;
    private bool kind;
    private string? broken;

    public Explorer(ConsumeContext consumed)
    {
        laws = new Laws(world);
        // Lines never change and are only ever learned: one book for both workers.
        var lines = new LineDirectory(contexts: null!);
        machines = [.. Enumerable.Range(0, Workers).Select(_ => new Machine(() => world, this, () => script.Next(1000) / 1000.0, lines, consumed))];
    }

    /// <summary>Steps taken in the last history.</summary>
    public int Steps { get; private set; }

    /// <summary>What happened, in words; kept only when asked for.</summary>
    public IReadOnlyList<string> Story => told;

    public bool TellsStory { get; set; }

    /// <summary>What the histories have met, to show that they meet everything.</summary>
    public Dictionary<string, int> Met { get; } = new(StringComparer.Ordinal);

    /// <summary>One history; returns the law that was broken, or null.</summary>
    public string? Live(Script of, PlantedBug planted)
    {
        (script, bug, broken, kind, current) = (of, planted, null, false, null);
        deliveries.Clear();
        broker.Clear();
        asked.Clear();
        told.Clear();
        world = new World(planted);
        laws = new Laws(world);
        Begin();
        for (Steps = 0; Steps < 60 && broken is null && !script.IsOver && !(broker.Count == 0 && HasEnded()); Steps++)
        {
            Step();
        }

        kind = true;
        for (var round = 0; round < MostRounds && broken is null && !HasEnded(); round++)
        {
            Settle(round);
        }

        foreach (var end in world.Tasks.Values)
        {
            Count(end.State);
        }

        return broken ?? laws.BrokenAtTheEnd();
    }

    // ---- What the repository asks of the store ----

    public Task<TaskRow?> Load(Guid id) => Task.FromResult(world.Load(id));

    public Task<CommitOutcome> Commit(Transition transition)
    {
        current!.Pending = transition;
        current.Told = new TaskCompletionSource<CommitOutcome>();
        return current.Told.Task;
    }

    public Task Ring(IReadOnlyCollection<object> bells)
    {
        foreach (var bell in bells)
        {
            Send(bell);
        }

        return Task.CompletedTask;
    }

    // ---- One step ----

    private void Begin()
    {
        foreach (var bucket in Machine.NewBuckets(world.Now))
        {
            world.Buckets[bucket.Id] = bucket;
        }

        decimal? limit = script.Next(3) == 0 ? 0.0003m : null;
        var budget = BudgetPeriods.NewRow(BudgetPeriods.Installation, BudgetPeriods.Day, limit, world.Now);
        world.Budgets[budget.Id] = budget;
        for (var worker = 0; worker < Workers; worker++)
        {
            machines[worker].Forget();
            identities[worker] = Guid.NewGuid();
        }

        pacer = machines[0].NewPacer();
        var tasks = 1 + script.Next(3);
        for (var i = 0; i < tasks; i++)
        {
            var task = new LlmTask
            {
                Id = new Guid(i + 1, 0, 0, [0, 0, 0, 0, 0, 0, 0, 1]), Prompt = "Why is the sky blue?", Kind = "analysis", Complexity = "low", MaxOutputTokens = script.Next(20) switch { 0 => 50_000, < 10 => 60, _ => 130 },
                Priority = script.Next(3) == 0 ? "interactive" : null, HighStakes = script.Next(3) == 0,
            };
            asked.Add(task);
            broker.Add(task);
        }
    }

    private void Step()
    {
        var open = deliveries.Count;
        switch (script.Next(24))
        {
            case < 8 when broker.Count > 0:
                Deliver(script.Next(broker.Count), script.Next(Workers));
                break;
            case < 18 when open > 0:
                Advance(deliveries[script.Next(open)]);
                break;
            case 18 when broker.Count > 0:
                Note("the broker has a message twice");
                broker.Add(broker[script.Next(broker.Count)]);
                break;
            case 19:
                Crash(script.Next(Workers));
                break;
            case 20:
                Pace();
                break;
            case 21:
                var seconds = script.Next(4) switch { 0 => 0.05, 1 => 2, 2 => 20, _ => 90 };
                Note("{0} s pass", seconds);
                world.Now = world.Now.AddSeconds(seconds);
                break;
            default:
                Stray(asked[script.Next(asked.Count)]);
                break;
        }
    }

    /// <summary>A message that nobody had to send now: late, early, of another attempt, or of an owner who wants it no more.</summary>
    private void Stray(LlmTask task)
    {
        var id = task.Id!.Value;
        var attempt = (world.Tasks.GetValueOrDefault(id)?.Attempt ?? 0) + script.Next(3) - 1;
        object message = script.Next(18) switch
        {
            < 2 => task,
            < 4 => new StartTask(id),
            < 6 => new CapacityGranted(id, attempt + 1),
            < 8 => new BudgetReleased(id),
            < 10 => new RetryDelayElapsed(id, attempt),
            < 13 => new LeaseExpired(id, attempt),
            < 16 => new CallProvider(id, attempt, "groq"),
            16 => new CancelTask(id),
            _ => new DeadlinePassed(id),
        };
        Note("a stray message: {0}", Named(message));
        broker.Add(message);
    }

    private void Send(object bell)
    {
        // A bell may be lost with its broker. Once the history draws to its end none is.
        if (!kind && script.Next(8) == 0)
        {
            Note("lost: {0}", Named(bell));
            return;
        }

        broker.Add(bell);
    }

    private void Deliver(int index, int worker)
    {
        var message = broker[index];
        broker.RemoveAt(index);
        Note("worker {0} is delivered {1}", worker, Named(message));
        var delivery = new Delivery(message, worker);
        deliveries.Add(delivery);
        if (message is CallProvider call)
        {
            if (world.Claim(call.TaskId, call.Attempt, identities[worker]))
            {
                laws.Calls[(call.TaskId, call.Attempt)] = laws.Calls.GetValueOrDefault((call.TaskId, call.Attempt)) + 1;
                delivery.AtProvider = true;
            }
            else
            {
                delivery.Running = Task.CompletedTask;
            }

            Check();
            return;
        }

        Begin(delivery, message);
    }

    private void Begin(Delivery delivery, object message)
    {
        current = delivery;
        var id = TaskOf(message);
        if (bug == PlantedBug.NoAttemptFence && world.Tasks.GetValueOrDefault(id) is { } row)
        {
            message = message switch
            {
                CallFinished finished => finished with { Attempt = row.Attempt },
                LeaseExpired => new LeaseExpired(id, row.Attempt),
                _ => message,
            };
        }

        delivery.Running = machines[delivery.Worker].Raise(message, id);
        Watch(delivery);
    }

    /// <summary>The provider answers; or the commit takes place; or its outcome is heard; or the message is acknowledged: whichever is next.</summary>
    private void Advance(Delivery delivery)
    {
        if (delivery.AtProvider)
        {
            delivery.AtProvider = false;
            var call = (CallProvider)delivery.Message;
            var outcome = Outcome(call);
            Note("the provider: {0}", outcome.Word);
            if (outcome is CallOutcome.Answered)
            {
                laws.Answered.Add((call.TaskId, call.Attempt));
            }

            Begin(delivery, new CallFinished(call.TaskId, call.Attempt, outcome, "groq-1", TimeSpan.FromSeconds(1), PromptHash: null, OpensBreaker: script.Next(6) == 0, world.Now.AddSeconds(-1)));
        }
        else if (delivery is { Pending: { } pending, Outcome: null })
        {
            delivery.Outcome = world.Commit(pending);
            Note("a commit: {0}", delivery.Outcome);
            Check();
        }
        else if (delivery is { Pending: { } heard, Outcome: { } outcome })
        {
            (delivery.Pending, delivery.Outcome) = (null, null);
            heard.Unhold?.Invoke();
            if (outcome == CommitOutcome.Committed)
            {
                heard.WhenCommitted?.Invoke();
            }

            // As the group that committed brings them back.
            machines[delivery.Worker].Show();
            current = delivery;
            delivery.Told!.SetResult(outcome);
            Watch(delivery);
        }
        else
        {
            deliveries.Remove(delivery);
        }
    }

    private CallOutcome Outcome(CallProvider call)
    {
        var task = world.Tasks[call.TaskId];
        if (kind)
        {
            return Answer(task);
        }

        CallOutcome outcome = script.Next(14) switch
        {
            < 5 => Answer(task),
            5 => new CallOutcome.Throttled(LimitWindow.TokensPerMinute, TimeSpan.FromSeconds(3), "slow down"),
            6 => new CallOutcome.TimedOut(TimeSpan.FromSeconds(10)),
            7 => new CallOutcome.Unreachable("nobody is there"),
            8 => new CallOutcome.Malformed("half of it") { BrokenOff = script.Next(2) == 0 },
            9 => new CallOutcome.OutputSpent("it thought too long", 0, 40),
            10 => new CallOutcome.TooLarge("too much"),
            11 => new CallOutcome.HeldBack("its breaker is open"),
            12 => new CallOutcome.ContentRefused("no"),
            _ => script.Next(4) switch { 0 => new CallOutcome.BadRequest("wrong"), 1 => new CallOutcome.OutOfCredit("no money"), 2 => new CallOutcome.ModelGone("gone"), _ => new CallOutcome.KeyRefused("no key") },
        };
        return outcome;
    }

    private CallOutcome.Answered Answer(TaskRow task) =>
        new(task.Pass is TaskPasses.Critique or TaskPasses.Verdict ? """{"verdict": "revise", "issues": ["A gap."], "score": 0.4}""" : "An answer.", 0, 1 + script.Next(40), null, CutShort: false);

    private void Crash(int worker)
    {
        Note("worker {0} is killed", worker);
        Count("crash");
        foreach (var delivery in deliveries.Where(delivery => delivery.Worker == worker).ToList())
        {
            // What it had not acknowledged comes again; what it held in its head is gone.
            delivery.Pending?.Unhold?.Invoke();
            broker.Add(delivery.Message);
            deliveries.Remove(delivery);
        }

        identities[worker] = Guid.NewGuid();
        machines[worker].Show();
    }

    private void Pace()
    {
        var bells = world.Pace(pacer, machines[0].BudgetsOf);
        if (bells.Count > 0)
        {
            Note("the Pacer rings for {0}", bells.Count);
            Check();
        }

        foreach (var bell in bells)
        {
            Send(bell);
        }
    }

    /// <summary>Nothing is lost any more, and time passes: what the Rescuer, the Pacer and an owner with money and a valid key do in the end.</summary>
    private void Settle(int round)
    {
        while (broken is null && broker.Count > 0)
        {
            Deliver(0, round % Workers);
            while (broken is null && deliveries.Count > 0)
            {
                Advance(deliveries[0]);
            }
        }

        while (broken is null && deliveries.Count > 0)
        {
            Advance(deliveries[0]);
        }

        world.Now = world.Now.AddSeconds(Math.Min(900, Math.Pow(2, round)));
        foreach (var budget in world.Budgets.Values.Where(budget => budget.Waiting > 0))
        {
            budget.LimitUsd = null;
        }

        foreach (var bucket in world.Buckets.Values.Where(bucket => bucket.DisabledReason?.StartsWith(DisabledReasons.Refused, StringComparison.Ordinal) == true))
        {
            bucket.DisabledReason = null;
        }

        foreach (var machine in machines)
        {
            machine.TakeKey();
            machine.Show();
        }

        Pace();
        foreach (var task in asked)
        {
            var id = task.Id!.Value;
            if (world.Tasks.GetValueOrDefault(id)?.EndedAt is not null)
            {
                continue;
            }

            // The bell that its state stands for is the real machine's to know; it takes as long as a new task, so it is not asked each time.
            if (round % 3 == 0)
            {
                broker.Add(task);
            }

            switch (world.Tasks.GetValueOrDefault(id))
            {
                case { State: TaskStates.WaitingToRetry } row when row.DueAt <= world.Now:
                    broker.Add(new RetryDelayElapsed(id, row.Attempt));
                    break;
                case { State: TaskStates.WaitingForBudget }:
                    broker.Add(new BudgetReleased(id));
                    break;
                case { } row when World.IsCalled(row) && world.Attempts[(id, row.Attempt)].Worker is { } worker && !identities.Contains(worker):
                    broker.Add(new LeaseExpired(id, row.Attempt));
                    break;
            }
        }
    }

    private bool HasEnded() => deliveries.Count == 0 && asked.TrueForAll(task => world.Tasks.GetValueOrDefault(task.Id!.Value)?.EndedAt is not null);

    /// <summary>What a message met that no message should meet.</summary>
    private void Watch(Delivery delivery)
    {
        if (delivery.Running is { IsFaulted: true, Exception: { } fault })
        {
            broken ??= $"a fault: {fault.GetBaseException().Message}";
        }
    }

    private void Check()
    {
        if (broken is null && laws.Broken() is { } law)
        {
            broken = law;
        }
    }

    private void Count(string what) => Met[what] = Met.GetValueOrDefault(what) + 1;

    private void Note(string what, params ReadOnlySpan<object?> values)
    {
        if (TellsStory)
        {
            told.Add(string.Format(CultureInfo.InvariantCulture, what, values));
        }
    }

    private static string Named(object message) => message is LlmTask task ? $"LlmTask {task.Id.ToString()![..8]}{(task.HighStakes ? " with much at stake" : "")}" : $"{message}";

    private static Guid TaskOf(object message) => message switch
    {
        LlmTask task => task.Id!.Value,
        StartTask start => start.TaskId,
        CapacityGranted granted => granted.TaskId,
        BudgetReleased released => released.TaskId,
        RetryDelayElapsed elapsed => elapsed.TaskId,
        CallFinished finished => finished.TaskId,
        LeaseExpired lease => lease.TaskId,
        CancelTask cancel => cancel.TaskId,
        DeadlinePassed passed => passed.TaskId,
        _ => throw new ArgumentException($"{message.GetType().Name} is no message of a task."),
    };

    private sealed class Delivery(object message, int worker)
    {
        public object Message { get; } = message;

        public int Worker { get; } = worker;

        public Task? Running { get; set; }

        public bool AtProvider { get; set; }

        public Transition? Pending { get; set; }

        public TaskCompletionSource<CommitOutcome>? Told { get; set; }

        public CommitOutcome? Outcome { get; set; }
    }
}
