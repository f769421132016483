using LlmQueue.Storage;
using LlmQueue.Worker.Leases;
using LlmQueue.Worker.Maintenance;
using LlmQueue.Worker.Probes;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Quartz;

namespace LlmQueue.Worker;

/// <summary>Registers what one worker of all does, whichever it is.</summary>
public static class MaintenanceServices
{
    /// <summary>
    /// What one worker of all does: the rescuer's sweeps where the capacity scheduler leads, and by the hour Quartz, clustered
    /// on the same database.
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
}
