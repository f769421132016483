using LlmQueue.Store.Catalogue;
using LlmQueue.Store.Commits;
using LlmQueue.Store.Commits.Ledger;
using LlmQueue.Store.Commits.Tables;
using LlmQueue.Store.Rows;
using LlmQueue.Store.Sagas;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Store;

/// <summary>Registers the store: the data source, the model, and the loops that load and commit in groups.</summary>
public static class QueueStore
{
    public static IServiceCollection AddQueueStore(this IServiceCollection services, string connectionString)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString) { ApplicationName = "LlmQueue", IncludeErrorDetail = false };
        if (settings.MaxAutoPrepare == 0)
            settings.MaxAutoPrepare = 100;
        if (!connectionString.Contains("Pool Size", StringComparison.OrdinalIgnoreCase))
            settings.MaxPoolSize = 19;
        if (!connectionString.Contains("Keepalive", StringComparison.OrdinalIgnoreCase))
            settings.KeepAlive = 15;

        services.TryAddSingleton<TimeProvider>(new DatabaseClock());
        services.AddSingleton(_ => new NpgsqlDataSourceBuilder(settings.ConnectionString).Build());
        services.AddSingleton(_ => new CommitConnections(settings));
        services.AddPooledDbContextFactory<QueueDb>((provider, options) => options.UseNpgsql(provider.GetRequiredService<NpgsqlDataSource>())
            // Migrations are written by hand (the design-time package cannot be had), so there is no snapshot to compare; a test compares the model with the database instead.
            .ConfigureWarnings(w => w.Ignore(RelationalEventId.PendingModelChangesWarning)));
        services.AddSingleton(provider =>
        {
            using var db = provider.GetRequiredService<IDbContextFactory<QueueDb>>().CreateDbContext();
            return new StoreTables(db.Model);
        });
        services.AddSingleton<Telemetry.QueueMetrics>();
        services.AddSingleton<Thresholds>();
        services.AddSingleton<LimitViews>();
        services.AddSingleton<LineBell>();
        services.AddSingleton<Limits.BudgetBook>();
        services.AddSingleton<Doorbells>();
        services.AddSingleton<Intake.Submissions>();
        services.AddSingleton<Intake.TaskPayloads>();
        services.AddSingleton<Intake.Cancellations>();
        services.AddSingleton<Rankings.RankingBook>();
        services.AddSingleton<Rankings.RankingViews>();
        services.AddSingleton<Views.TaskViews>();
        services.AddSingleton<Intake.Retries>();
        services.AddSingleton<Views.TaskLife>();
        services.AddSingleton<Views.TaskEnds>();
        services.AddSingleton<Views.SummaryViews>();
        services.AddSingleton<Views.QueueViews>();
        services.AddSingleton<Streaming.TokenSpeaker>();
        services.AddSingleton<Webhooks.WebhookBell>();
        services.AddSingleton<Webhooks.WebhookBook>();
        services.AddSingleton<Webhooks.WebhookViews>();
        services.AddSingleton<Intake.RequestKeys>();
        services.AddSingleton<Files.FileStore>();
        services.AddSingleton<Batches.BatchBook>();
        services.AddSingleton<Batches.BatchBell>();
        services.AddSingleton<Batches.BatchLock>();
        services.AddSingleton<Batches.BatchExpansion>();
        services.AddSingleton<Batches.BatchFeed>();
        services.AddSingleton<Batches.BatchResults>();
        services.AddSingleton<Views.ConversationViews>();
        services.AddLoop<ClockWatch>();
        services.AddLoop<Announcer>();
        services.AddLoop<GroupCommits>();
        services.AddLoop<GroupLoads<TaskRow>>();
        services.AddLoop<GroupLoads<SummaryRow>>();
        return services;
    }

    /// <summary>The catalogue and whoever looks after it; in a host of several parts each part may ask for it.</summary>
    public static IServiceCollection AddCatalogue(this IServiceCollection services, CurrentCatalogue catalogue)
    {
        services.TryAddSingleton(catalogue);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<Microsoft.Extensions.Hosting.IHostedService, CatalogueWatch>());
        return services;
    }

    /// <summary>Brings the database up to date; call it before the host runs.</summary>
    public static async Task PrepareQueueStore(this IServiceProvider services, CancellationToken cancellationToken = default)
    {
        await using var db = await services.GetRequiredService<IDbContextFactory<QueueDb>>().CreateDbContextAsync(cancellationToken);
        await Schema.Apply(db, services.GetRequiredService<ILoggerFactory>().CreateLogger("LlmQueue.Store"), cancellationToken);
        await services.GetRequiredService<ClockWatch>().Look(cancellationToken);
    }

    /// <summary>A singleton that also runs in the background.</summary>
    public static IServiceCollection AddLoop<T>(this IServiceCollection services) where T : Microsoft.Extensions.Hosting.BackgroundService =>
        services.AddSingleton<T>().AddHostedService(provider => provider.GetRequiredService<T>());
}
