using LlmQueue.Catalogue;
using LlmQueue.Hosting;
using LlmQueue.Hosting.Http;
using LlmQueue.Hosting.Settings;
using LlmQueue.Storage.Budgets;
using LlmQueue.Storage;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Sagas;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Batches;
using LlmQueue.Worker.Calling;
using LlmQueue.Worker.Calling.Claiming;
using LlmQueue.Worker.Calling.Guards;
using LlmQueue.Worker.Calling.Wire;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Leases;
using LlmQueue.Worker.Lifecycle;
using LlmQueue.Worker.Maintenance;
using LlmQueue.Worker.PageSummaries;
using LlmQueue.Worker.PageSummaries.Pages;
using LlmQueue.Worker.Planning;
using LlmQueue.Worker.Planning.Transitions;
using LlmQueue.Worker.Probes;
using LlmQueue.Worker.Ranking;
using LlmQueue.Worker.Routing;
using LlmQueue.Worker.Scheduling;
using LlmQueue.Worker.Webhooks;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace LlmQueue.Worker;

/// <summary>Registers the services of a worker; used by the worker's own host and by the one-process host alike.</summary>
public static class WorkerServices
{
    public static IServiceCollection AddQueueWorker(
        this IServiceCollection services, QueueSettings settings, CurrentCatalogue catalogue, WorkerOptions options)
    {
        services.AddCatalogue(catalogue).AddSingleton(settings).AddSingleton(options);
        services.AddSingleton<BucketOpening>().AddSingleton<CatalogueSynchronizer>()
            .AddSingleton<ICatalogueFollower>(provider => provider.GetRequiredService<CatalogueSynchronizer>());
        services.AddSingleton(new Jitter(Environment.ProcessId));
        services.AddSingleton(new BucketDirectory(catalogue.Now, settings.Providers)).AddSingleton(new UsableProviders(settings.Providers));
        services.AddSingleton<WorkerIdentity>().AddSingleton<WaitQueueDirectory>().AddSingleton<PagePool>()
            .AddSingleton<AdmissionController>().AddSingleton<KeyChoice>();
        services.AddSingleton<Breakers>().AddSingleton<ProbeTimers>().AddSingleton<DrainTimeout>();
        services.AddSingleton<ProviderHttp>().AddSingleton<ProviderCalls>().AddSingleton<ModelListProbe>()
            .AddSingleton<ProbeFindings>();
        services.AddSingleton<GuardedCalls>().AddSingleton<CallTimeouts>().AddSingleton<TaskCalls>();
        services.AddSingleton<ClassificationCalls>().AddSingleton<ClaimedCalls>();
        services.AddSingleton<CallSlots>().AddSingleton<IOutcomeReceiver, StateMachineInvoker>();
        services.AddPlanning().AddLifecycle();
        services.AddSingleton<SummaryPlanner>().AddSingleton<StageActivities>().AddSingleton<SummaryEndActivities>()
            .AddSingleton<SummaryStages>().AddSingleton<SummaryPools>().AddSingleton<SummaryReadings>()
            .AddSingleton<SummaryResults>().AddSingleton<PageExtracts>();
        services.AddSingleton<UnansweredRows>().AddSingleton<Rescuer>();
        services.AddSingleton<CyclePlanner>().AddSingleton<CycleBooking>().AddSingleton<SchedulingCycle>()
            .AddSingleton<SchedulerLeadership>();
        services.TryAddSingleton(_ => new OutboundHttp(settings.PrivateHosts));
        services.AddSingleton<WebhookCall>().AddLoop<WebhookLoop>();
        services.TryAddSingleton<ModelChecks>();
        services.TryAddSingleton(provider => new WebhookChecks(settings, provider.GetRequiredService<OutboundHttp>()));
        services.AddSingleton<BatchLine>().AddSingleton<BatchReader>().AddSingleton<BatchOutput>()
            .AddSingleton<BatchEnding>().AddSingleton<BatchSteps>().AddLoop<BatchProcessor>();
        services.AddSingleton<GroupedSagaStore<TaskRow>>().AddGroupedSagas<TaskRow, QuestionGatherer>()
            .AddGroupedSagas<SummaryRow, GroupedSagaStore<SummaryRow>>();
        services.AddSingleton<BatchedQuestions>().AddSingleton<SystemLoad>().AddLoop<ClassificationCache>();
        services.AddSingleton<Calibrations>().AddSingleton<OutputUses>().AddLoop<CallEstimates>().AddLoop<Heartbeat>()
            .AddLoop<Claims>().AddLoop<LocalCallLoop>().AddLoop<CapacityScheduler>().AddLoop<LimitRefresh>().AddLoop<SummaryDeadlines>()
            .AddLoop<RetirementWatch>().AddLoop<ModelRanking>();
        return services;
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
