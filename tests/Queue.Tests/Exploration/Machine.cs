using System.Threading.Channels;
using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Hosting.Settings;
using LlmQueue.Limits;
using LlmQueue.Storage.Budgets;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Sagas;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Harness;
using LlmQueue.Tests.Messaging;
using LlmQueue.Worker;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Calling.Claiming;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Leases;
using LlmQueue.Worker.Lifecycle;
using LlmQueue.Worker.Outcomes;
using LlmQueue.Worker.Planning;
using LlmQueue.Worker.Planning.Transitions;
using LlmQueue.Worker.Ranking;
using LlmQueue.Worker.Routing;
using LlmQueue.Worker.Scheduling;
using MassTransit;
using MassTransit.Configuration;
using MassTransit.Context;
using MassTransit.Middleware;
using MassTransit.Saga;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmQueue.Tests.Exploration;

/// <summary>
/// One worker: the real machine, activities, planning, admission, repository and plan of the Pacer, put together as WorkerServices does it,
/// on a store that is told what to do. Built once and used for many histories: what it keeps between messages is the view of the limits,
/// which each history shows it anew. Nothing is learned: the models charge the longest answer, and the ranking is off.
/// </summary>
internal sealed class Machine
{
    public static readonly ModelCatalogue Catalogue = ModelCatalogue.Parse(TestCatalogue.Of(["critic"],
        new TestModel("first") { Rpm = 6, Tpm = 500 }, new TestModel("second") { Rpm = 3, Tpm = 300 },
        new TestModel("critic") { Rpm = 20, Tpm = 30_000 }), "explored.json");

    private static readonly Dictionary<string, ProviderSettings> Providers = new(StringComparer.Ordinal)
    {
        ["groq"] = new ProviderSettings("groq", new Uri("http://nowhere.invalid/v1"),
            [new ProviderKey("groq", 1, "groq-1", "org-1", "sk-none")]),
    };

    // One place for a call: of two tasks at once, a worker keeps one's call to itself and leaves the other's to a message.
    private static readonly WorkerOptions Options = new() { Ranking = false, PoolAdjustment = false, MaxFaults = 4, ConcurrentCalls = 1 };

    private readonly TaskStateMachine lifecycle;
    private readonly GroupedSagaRepositoryContextFactory<TaskRow> repository;
    private readonly ConsumeContext consumed;
    private readonly Func<World> world;
    private readonly BudgetRepository budgets;
    private readonly Dictionary<Type, Func<object, Guid, Task>> doors = [];
    private readonly BucketDirectory directory = new(Catalogue, Providers);
    private readonly WaitQueueDirectory lines;
    private readonly CallEstimates estimates;
    private readonly PagePool pool;
    private readonly StillClock clock;
    private readonly SystemLoad load;
    private readonly Heartbeat heartbeat;
    private readonly CallSlots openCalls;
    private readonly StateMachineInvoker door;

    public Machine(Func<World> world, ISagaStore<TaskRow> store, Func<double> chance, WaitQueueDirectory lines, ConsumeContext consumed)
    {
        (this.world, this.consumed, this.lines, clock) = (world, consumed, lines, new StillClock(() => world().Now));
        // What stands for a database is never asked: every row these look for is shown to the views first.
        var catalogue = new CurrentCatalogue(Catalogue);
        budgets = new BudgetRepository(database: null!, contexts: null!, tables: null!, Views, capacitySignal: null!, clock);
        estimates = new CallEstimates(new Calibrations(database: null!), new OutputUses(database: null!), clock,
            NullLogger<CallEstimates>.Instance);
        var luck = new ScriptedJitter(chance);
        var ranking = new ModelRanking(shared: null!, Options, luck, clock, NullLogger<ModelRanking>.Instance);
        pool = new PagePool(ranking, Options);
        var admission = new AdmissionController(directory, Views, budgets, estimates, pool, Options);
        load = new SystemLoad(directory, Views);
        var known = new ClassificationCache(database: null!, clock, NullLogger<ClassificationCache>.Instance);
        var worker = new WorkerIdentity();
        heartbeat = new Heartbeat(database: null!, worker, Options, clock, NullLogger<Heartbeat>.Instance);
        openCalls = new CallSlots(worker, heartbeat, Options, clock);
        var providers = new UsableProviders(Providers);
        var availability = new ModelAvailability(catalogue, providers, directory, Views, load);
        var payloads = new Parts(world);
        var reader = new PayloadReader(payloads);
        var history = new ConversationHistory(payloads, availability);
        var sizes = new PartSizes(catalogue, availability);
        var router = new TaskRouter(catalogue, availability, ranking, pool);
        var planner = new TaskPlanner(
            new EstimateStep(catalogue, reader), new ReadImagesStep(catalogue, availability, reader),
            new ContinueConversationStep(history, availability, reader),
            new ClassifyStep(known, admission, catalogue, providers, directory, new BatchedQuestions(estimates, metrics: null!), reader),
            new RouteStep(router), new SplitStep(sizes, router, reader),
            new AdmitStep(admission, router, directory, catalogue, availability));
        lifecycle = new TaskStateMachine(
            planner, new CallActivities(directory, new KeyChoice(Views), openCalls, admission, router),
            new SettleActivities(catalogue, Views, directory, estimates, ranking, luck),
            new OutcomeActivities(catalogue, Views, availability, known, Options, luck), new AnswerActivities(reader, ranking),
            new PassActivities(reader, history, sizes, catalogue, availability), new WaitActivities(lines));
        repository = new GroupedSagaRepositoryContextFactory<TaskRow>(store, clock);
        door = new StateMachineInvoker(lifecycle, repository);
        Door<LlmTask>();
        Door<StartTask>();
        Door<CapacityGranted>();
        Door<BudgetReleased>();
        Door<RetryDelayElapsed>();
        Door<CallFinished>();
        Door<LeaseExpired>();
        Door<CancelTask>();
        Door<DeadlinePassed>();
    }

    public LimitViews Views { get; } = new();

    /// <summary>Through the real repository and the real machine; done when the real repository is.</summary>
    public Task Raise(object message, Guid task) => doors[message.GetType()](message, task);

    /// <summary>The calls that it keeps to itself, as they are kept.</summary>
    public ChannelReader<LocalCall> Kept => openCalls.Own;

    /// <summary>The outcome of one of them, through the real door.</summary>
    public Task Finish(LocalCall call, CallFinished finished) => door.Raise(call, finished);

    /// <summary>Its place is free.</summary>
    public void Made(LocalCall call) => openCalls.Made(call.Provider);

    /// <summary>The database hears that it lives.</summary>
    public void Beat() => heartbeat.Note(clock.GetUtcNow());

    public IReadOnlyList<string> BudgetsOf(TaskRow task) => budgets.Of(task.Tenant, task.Agent, task.Kind, world().Now);

    public CyclePlanner NewPacer() => new(directory, lines, estimates, pool, Options);

    public static IEnumerable<TokenBucket> NewBuckets(DateTime now) =>
        new BucketDirectory(Catalogue, Providers).All.Select(bucket => bucket.NewRow(now));

    /// <summary>The true limits, as a commit brings them back.</summary>
    public void Show()
    {
        foreach (var bucket in world().Buckets.Values)
        {
            Views.Show(World.Copy(bucket));
        }

        foreach (var budget in world().Budgets.Values)
        {
            Views.Show(World.Copy(budget));
        }
    }

    /// <summary>A person has put another key, and has started it again.</summary>
    public void TakeKey() => Views.ShowKey("groq-1", null);

    /// <summary>Forgets what the history before has taught.</summary>
    public void Forget()
    {
        Show();
        TakeKey();
        Beat();
        load.At(DateTime.MinValue.AddDays(1));
    }

    private void Door<T>() where T : class
    {
        var correlation = lifecycle.Correlations.OfType<EventCorrelation<TaskRow, T>>().Single();
        var pipe = Pipe.New<SagaConsumeContext<TaskRow, T>>(made => made.AddPipeSpecification(
            new FilterPipeSpecification<SagaConsumeContext<TaskRow, T>>(new Raised<T>(lifecycle, correlation.Event))));
        doors[typeof(T)] = (message, task) =>
        {
            var context = new CorrelationIdConsumeContextProxy<T>(new MessageConsumeContext<T>(consumed, (T)message), task);
            return repository.Send(context, new SendSagaPipe<TaskRow, T>(correlation.Policy, pipe, task));
        };
    }

    private sealed class Raised<T>(TaskStateMachine lifecycle, Event<T> raised) : IFilter<SagaConsumeContext<TaskRow, T>> where T : class
    {
        private readonly StateMachineSagaMessageFilter<TaskRow, T> filter = new(lifecycle, raised);

        public Task Send(SagaConsumeContext<TaskRow, T> context, IPipe<SagaConsumeContext<TaskRow, T>> next) => filter.Send(context, next);

        public void Probe(ProbeContext context) => context.CreateFilterScope("raised");
    }

    private sealed class Parts(Func<World> world) : TaskPayloads(contexts: null!)
    {
        public override Task<string?> Read(Guid taskId, string part) => Task.FromResult(world().Payloads.GetValueOrDefault((taskId, part)));

        public override Task<string> ReadQuestion(Guid taskId) => Task.FromResult(world().Payloads[(taskId, PayloadRow.Prompt)]);
    }

    private sealed class ScriptedJitter(Func<double> next) : Jitter(0)
    {
        public override double Next() => next();
    }

    /// <summary>
    /// The time of the world that is being explored. Not a FakeTimeProvider: one machine serves many histories, whose worlds begin anew,
    /// and that one's time would have to be told at each change.
    /// </summary>
    private sealed class StillClock(Func<DateTime> now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => new(now(), TimeSpan.Zero);
    }
}
