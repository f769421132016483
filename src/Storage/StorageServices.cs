using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Budgets;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Conversations;
using LlmQueue.Storage.Files;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Loops;
using LlmQueue.Storage.Outbox;
using LlmQueue.Storage.Queue;
using LlmQueue.Storage.Rankings;
using LlmQueue.Storage.Streaming;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tables;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.Webhooks;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Storage;

/// <summary>Registers the data source, the model, and the loops that load and commit in groups.</summary>
public static class StorageServices
{
    public static IServiceCollection AddStorage(this IServiceCollection services, string connectionString)
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
        services.AddSingleton(_ => new LimitConnection(settings));
        services.AddPooledDbContextFactory<QueueDb>(
            (provider, options) => options.UseNpgsql(provider.GetRequiredService<NpgsqlDataSource>())
            // Migrations are written by hand (the design-time package cannot be had), so there is no snapshot to compare; a test compares
            // the model with the database instead.
            .ConfigureWarnings(w => w.Ignore(RelationalEventId.PendingModelChangesWarning)));
        services.AddSingleton(provider =>
        {
            using var db = provider.GetRequiredService<IDbContextFactory<QueueDb>>().CreateDbContext();
            return new StoreTables(db.Model);
        });
        services.AddSingleton<Thresholds>();
        services.AddSingleton<LimitViews>();
        services.AddSingleton<CapacitySignal>();
        services.AddSingleton<BudgetRepository>();
        services.AddSingleton<CommandSender>();
        services.AddSingleton<Submissions>();
        services.AddSingleton<TaskPayloads>();
        services.AddSingleton<Cancellations>();
        services.AddSingleton<RankingRepository>();
        services.AddSingleton<RankingViews>();
        services.AddSingleton<TaskViews>();
        services.AddSingleton<Retries>();
        services.AddSingleton<TaskLife>();
        services.AddSingleton<TaskEnds>();
        services.AddSingleton<SummaryViews>();
        services.AddSingleton<QueueViews>();
        services.AddSingleton<TokenPublisher>();
        services.AddSingleton(typeof(Signal<>));
        services.AddSingleton<WebhookRepository>();
        services.AddSingleton<WebhookViews>();
        services.AddSingleton<RequestKeys>();
        services.AddSingleton<FileStore>();
        services.AddSingleton<ExpiredFiles>();
        services.AddSingleton<BatchRepository>();
        services.AddSingleton<BatchLock>();
        services.AddSingleton<BatchImporter>();
        services.AddSingleton<BatchFeeder>();
        services.AddSingleton<BatchResults>();
        services.AddSingleton<ConversationViews>();
        services.AddLoop<ClockWatch>();
        services.AddLoop<OutboxPublisher>();
        services.AddSingleton<CommitEffects>();
        services.AddLoop<GroupCommit>();
        services.AddLoop<GroupLoads<TaskRow>>();
        services.AddLoop<GroupLoads<SummaryRow>>();
        return services;
    }

    /// <summary>Brings the database up to date; call it before the host runs.</summary>
    public static async Task PrepareStorage(this IServiceProvider services, CancellationToken cancellationToken = default)
    {
        await using var db = await services.GetRequiredService<IDbContextFactory<QueueDb>>().CreateDbContextAsync(cancellationToken);
        await Schema.Apply(db, services.GetRequiredService<ILoggerFactory>().CreateLogger("LlmQueue.Storage"), cancellationToken);
        await services.GetRequiredService<ClockWatch>().Look(cancellationToken);
    }

    /// <summary>A singleton that also runs in the background.</summary>
    public static IServiceCollection AddLoop<T>(this IServiceCollection services)
        where T : Microsoft.Extensions.Hosting.BackgroundService =>
        services.AddSingleton<T>().AddHostedService(provider => provider.GetRequiredService<T>());
}
