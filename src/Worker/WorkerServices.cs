using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Hosting;
using LlmQueue.Hosting.Bus;
using LlmQueue.Hosting.Http;
using LlmQueue.Hosting.Settings;
using LlmQueue.Storage;
using LlmQueue.Storage.Budgets;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Sagas;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Batches;
using LlmQueue.Worker.Calling;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Leases;
using LlmQueue.Worker.Lifecycle;
using LlmQueue.Worker.Maintenance;
using LlmQueue.Worker.PageSummaries;
using LlmQueue.Worker.PageSummaries.Extraction;
using LlmQueue.Worker.Planning;
using LlmQueue.Worker.Ranking;
using LlmQueue.Worker.Routing;
using LlmQueue.Worker.Scheduling;
using LlmQueue.Worker.Webhooks;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Npgsql;
using Quartz;

namespace LlmQueue.Worker;

/// <summary>What a worker is made of; used by the worker's own host and by the one-process host alike.</summary>
public static class WorkerServices
{
    private const int IntakeConcurrency = 64;
    private const int LifecycleConcurrency = 256;

    public static IServiceCollection AddQueueWorker(
        this IServiceCollection services, QueueSettings settings, CurrentCatalogue catalogue, WorkerOptions options)
    {
        services.AddCatalogue(catalogue).AddSingleton(settings).AddSingleton(options);
        services.AddSingleton<CatalogueSynchronizer>()
            .AddSingleton<ICatalogueFollower>(provider => provider.GetRequiredService<CatalogueSynchronizer>());
        services.AddSingleton(new Jitter(Environment.ProcessId));
        services.AddSingleton(new BucketDirectory(catalogue.Now, settings.Providers)).AddSingleton(new UsableProviders(settings.Providers));
        services.AddSingleton<WorkerIdentity>().AddSingleton<WaitQueueDirectory>().AddSingleton<PagePool>()
            .AddSingleton<AdmissionController>().AddSingleton<KeyChoice>();
        services.AddSingleton<Breakers>().AddSingleton<ProbeTimers>().AddSingleton<DrainTimeout>();
        services.AddSingleton<ProviderHttp>().AddSingleton<ProviderCalls>().AddSingleton<ModelListProbe>();
        services.AddSingleton<GuardedCalls>().AddSingleton<CallTimeouts>().AddSingleton<TaskCalls>();
        services.AddSingleton<ClassificationCalls>().AddSingleton<ClaimedCalls>();
        services.AddSingleton<CallSlots>().AddSingleton<IOutcomeReceiver, StateMachineInvoker>();
        services.AddPlanning().AddLifecycle();
        services.AddSingleton<SummaryPlanner>().AddSingleton<StageActivities>().AddSingleton<SummaryEndActivities>()
            .AddSingleton<SummaryStages>().AddSingleton<SummaryPools>().AddSingleton<SummaryReadings>()
            .AddSingleton<SummaryResults>().AddSingleton<PageExtracts>();
        services.AddSingleton<Rescuer>().AddSingleton<CyclePlanner>().AddSingleton<SchedulingCycle>();
        services.TryAddSingleton(_ => new OutboundHttp(settings.PrivateHosts));
        services.AddLoop<WebhookLoop>();
        services.TryAddSingleton<ModelChecks>();
        services.TryAddSingleton(provider => new WebhookChecks(settings, provider.GetRequiredService<OutboundHttp>()));
        services.AddSingleton<BatchLine>().AddSingleton<BatchReader>().AddSingleton<BatchOutput>().AddLoop<BatchProcessor>();
        services.AddSingleton<GroupedSagaStore<TaskRow>>().AddGroupedSagas<TaskRow, QuestionGatherer>()
            .AddGroupedSagas<SummaryRow, GroupedSagaStore<SummaryRow>>();
        services.AddSingleton<BatchedQuestions>().AddSingleton<SystemLoad>().AddLoop<ClassificationCache>();
        services.AddSingleton<Calibrations>().AddSingleton<OutputUses>().AddLoop<CallEstimates>().AddLoop<Heartbeat>()
            .AddLoop<Claims>().AddLoop<LocalCallLoop>().AddLoop<CapacityScheduler>().AddLoop<LimitRefresh>().AddLoop<SummaryDeadlines>()
            .AddLoop<RetirementWatch>().AddLoop<ModelRanking>();
        return services;
    }

    /// <summary>
    /// What one worker of all does: the Rescuer's sweeps where the Pacer leads, and by the hour Quartz, clustered on the same database.
    /// </summary>
    public static IServiceCollection AddQueueUpkeep(this IServiceCollection services, string connectionString)
    {
        services.AddLoop<RescueLoop>();
        services.AddQuartz(quartz =>
        {
            quartz.UsePersistentStore(store =>
            {
                // It locks rows and sets nothing of its session, so nothing need be set back between its uses.
                store.UsePostgres(new NpgsqlConnectionStringBuilder(connectionString) { NoResetOnClose = true }.ConnectionString);
                store.UseSystemTextJsonSerializer();
                // Its jobs run by the hour: whether a worker of the cluster is gone need not be known sooner.
                store.UseClustering(cluster =>
                {
                    cluster.CheckinInterval = TimeSpan.FromMinutes(1);
                    cluster.CheckinMisfireThreshold = TimeSpan.FromMinutes(2);
                });
                store.ProvisionSchema();
            });
            quartz.ScheduleJob<BudgetRolloverJob>(
                t => t.WithIdentity("budgets").WithSimpleSchedule(s => s.WithInterval(TimeSpan.FromHours(1)).RepeatForever()),
                j => j.WithIdentity("budgets"));
            quartz.AddJob<ProbeJob>(j => j.WithIdentity(ProbeTimers.Job).StoreDurably());
            quartz.ScheduleJob<PruneJob>(
                t => t.WithIdentity("prune").WithSimpleSchedule(s => s.WithInterval(TimeSpan.FromMinutes(30)).RepeatForever()),
                j => j.WithIdentity("prune"));
        });
        services.AddQuartzHostedService(hosted => hosted.WaitForJobsToComplete = true);
        return services;
    }

    public static void Register(IBusRegistrationConfigurator bus)
    {
        bus.AddSagaStateMachine<TaskStateMachine, TaskRow>();
        bus.AddSagaStateMachine<SummaryStateMachine, SummaryRow>();
        bus.AddConsumer<CallConsumer>();
        bus.AddConsumer<MoveBatchConsumer>();
    }

    public static void Endpoints(IBusRegistrationContext context, IBusFactoryConfigurator bus)
    {
        var options = context.GetRequiredService<WorkerOptions>();
        bus.QueueEndpoint(QueueNames.Intake, IntakeConcurrency, endpoint =>
        {
            endpoint.AddDeserializer(new PlainJson<LlmTask>(), isDefault: true);
            endpoint.BindTo<LlmTask>();
            endpoint.ConfigureSaga<TaskRow>(context);
        }, messageIsTheOnlyCopy: true);
        bus.QueueEndpoint(QueueNames.Lifecycle, LifecycleConcurrency, endpoint => endpoint.ConfigureSaga<TaskRow>(context));
        foreach (var provider in context.GetRequiredService<QueueSettings>().Providers.Keys)
            bus.QueueEndpoint(QueueNames.CallsOf(provider), options.ConcurrentCalls,
                endpoint => endpoint.ConfigureConsumer<CallConsumer>(context));
        // What rang before each provider had a queue of its own.
        bus.QueueEndpoint(QueueNames.Calls, options.ConcurrentCalls, endpoint => endpoint.ConfigureConsumer<CallConsumer>(context));
        bus.QueueEndpoint(QueueNames.SummaryIntake, 4, endpoint =>
        {
            endpoint.AddDeserializer(new PlainJson<SummarizePages>(), isDefault: true);
            endpoint.BindTo<SummarizePages>();
            endpoint.ConfigureSaga<SummaryRow>(context);
        }, messageIsTheOnlyCopy: true);
        bus.QueueEndpoint(QueueNames.SummaryLifecycle, 16, endpoint => endpoint.ConfigureSaga<SummaryRow>(context));
        bus.QueueEndpoint(QueueNames.Batches, 1, endpoint => endpoint.ConfigureConsumer<MoveBatchConsumer>(context));
    }

    /// <summary>
    /// Opens the buckets and budgets and reads what is known of them; call it after PrepareQueueStore and before the host runs.
    /// </summary>
    public static async Task PrepareQueueWorker(this IServiceProvider services, CancellationToken cancellationToken = default)
    {
        var settings = services.GetRequiredService<QueueSettings>();
        var keys = settings.Providers.Values.SelectMany(p => p.Keys).ToList();
        await using (var connection = await services.GetRequiredService<NpgsqlDataSource>().OpenConnectionAsync(cancellationToken))
        await using (var batch = new NpgsqlBatch(connection))
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand("""
                insert into keys (alias, provider, organisation, calls, throttled, faults, input_tokens, output_tokens)
                select k.alias, k.provider, k.organisation, 0, 0, 0, 0, 0 from unnest($1::text[], $2::text[], $3::text[]) as k(alias, provider, organisation) order by k.alias
                on conflict (alias) do update set organisation = excluded.organisation, refused_reason = null, refused_at = null
                """)
            {
                Parameters =
                {
                    new NpgsqlParameter<string[]> { TypedValue = [.. keys.Select(k => k.Alias)] },
                    new NpgsqlParameter<string[]> { TypedValue = [.. keys.Select(k => k.Provider)] },
                    new NpgsqlParameter<string[]> { TypedValue = [.. keys.Select(k => k.Organisation)] },
                },
            });
            await batch.ExecuteNonQueryAsync(cancellationToken);
        }

        await services.GetRequiredService<CatalogueSynchronizer>().OpenAll(cancellationToken);
        await services.GetRequiredService<BudgetRepository>().Begin(settings.DailyBudgetUsd, cancellationToken);
        await services.GetRequiredService<CallEstimates>().Load(cancellationToken);
        await services.GetRequiredService<ModelRanking>().Load(cancellationToken);
        await services.GetRequiredService<ClassificationCache>().Load(cancellationToken);
        await services.GetRequiredService<Heartbeat>().Beat(cancellationToken);
    }

    private static void BindTo<T>(this IReceiveEndpointConfigurator endpoint) where T : class
    {
        switch (endpoint)
        {
            case IRabbitMqReceiveEndpointConfigurator rabbit:
                rabbit.Bind<T>();
                break;
            case IInMemoryReceiveEndpointConfigurator memory:
                memory.Bind<T>();
                break;
            default:
                throw new NotSupportedException($"{endpoint.GetType().Name} is not a bus of this queue.");
        }
    }

    private static IServiceCollection AddPlanning(this IServiceCollection services) => services
        .AddSingleton<ModelAvailability>().AddSingleton<PayloadReader>().AddSingleton<ConversationHistory>()
        .AddSingleton<PartSizes>().AddSingleton<TaskRouter>()
        .AddSingleton<EstimateStep>().AddSingleton<ReadImagesStep>().AddSingleton<ContinueConversationStep>().AddSingleton<ClassifyStep>()
        .AddSingleton<RouteStep>().AddSingleton<SplitStep>().AddSingleton<AdmitStep>().AddSingleton<TaskPlanner>();

    private static IServiceCollection AddLifecycle(this IServiceCollection services) => services
        .AddSingleton<CallActivities>().AddSingleton<SettleActivities>().AddSingleton<OutcomeActivities>().AddSingleton<AnswerActivities>()
        .AddSingleton<PassActivities>().AddSingleton<WaitActivities>();

    private static IServiceCollection AddGroupedSagas<TSaga, TStore>(this IServiceCollection services) where TSaga : class,
    ISaga where TStore : class, ISagaStore<TSaga> =>
        // The receive endpoints build MassTransit's own repository around this factory.
        services.AddSingleton<ISagaStore<TSaga>, TStore>()
            .AddSingleton<MassTransit.Saga.ISagaRepositoryContextFactory<TSaga>, GroupedSagaRepositoryContextFactory<TSaga>>();
}
