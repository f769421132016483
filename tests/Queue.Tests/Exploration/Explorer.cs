using System.Globalization;
using LlmQueue.Contracts;
using LlmQueue.Limits;
using LlmQueue.Storage.Sagas;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Scheduling;
using MassTransit;

namespace LlmQueue.Tests.Exploration;

/// <summary>
/// Lets one history happen: a few tasks, two workers, a broker that loses, doubles and reorders, a provider that answers as it likes, an
/// owner who cancels, a clock that jumps, and crashes between any two steps: before a commit, after it, before its outcome is heard, before
/// the bells, before a kept call is begun, before the message is acknowledged. Everything happens on one thread, one step at a time, as the
/// script's numbers say.
/// </summary>
internal sealed partial class Explorer : ISagaStore<TaskRow>
{
    private const int Workers = 2;
    private const int MostSteps = 60;
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
    private CyclePlanner pacer = null!;
    private PlantedBug bug;
    private Delivery? current;
    private bool kind;
    private string? broken;

    public Explorer(ConsumeContext consumed)
    {
        laws = new Laws(world);
        // Lines never change and are only ever learned: one book for both workers.
        var lines = new WaitQueueDirectory(contexts: null!);
        machines =
        [
            .. Enumerable.Range(0, Workers).Select(_ => new Machine(() => world, this, () => script.Next(1000) / 1000.0, lines, consumed)),
        ];
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
        foreach (var left in deliveries)
        {
            Lose(left);
        }

        (script, bug, broken, kind, current) = (of, planted, null, false, null);
        deliveries.Clear();
        broker.Clear();
        asked.Clear();
        told.Clear();
        world = new World(planted);
        laws = new Laws(world);
        Begin();
        for (Steps = 0; Steps < MostSteps && broken is null && !script.IsOver && !(broker.Count == 0 && HasEnded()); Steps++)
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

    public Task<CommitOutcome> Commit(UnitOfWork transition)
    {
        current!.Pending = transition;
        current.Told = new TaskCompletionSource<CommitOutcome>();
        return current.Told.Task;
    }

    public Task Send(IReadOnlyCollection<object> bells)
    {
        foreach (var bell in bells)
        {
            Send(bell);
        }

        return Task.CompletedTask;
    }

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
                Id = new Guid(i + 1, 0, 0, [0, 0, 0, 0, 0, 0, 0, 1]), Prompt = "Why is the sky blue?", Kind = "analysis",
                Complexity = "low", MaxOutputTokens = script.Next(20) switch { 0 => 50_000, < 10 => 60, _ => 130 },
                Priority = script.Next(3) == 0 ? "interactive" : null, HighStakes = script.Next(3) == 0,
            };
            asked.Add(task);
            broker.Add(task);
        }
    }

    private bool HasEnded() =>
        deliveries.Count == 0 && asked.TrueForAll(task => world.Tasks.GetValueOrDefault(task.Id!.Value)?.EndedAt is not null);

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
}
