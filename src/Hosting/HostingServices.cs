using LlmQueue.Catalogue;
using LlmQueue.Hosting.Telemetry;
using LlmQueue.Storage;
using LlmQueue.Storage.Commits;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace LlmQueue.Hosting;

/// <summary>Registers what both hosts need beside their own services. In a process that is both, each part may ask for it.</summary>
public static class HostingServices
{
    /// <summary>The database, the loops that load and commit in groups, and the metrics of what they commit.</summary>
    public static IServiceCollection AddQueueStorage(this IServiceCollection services, string connectionString)
    {
        services.AddSingleton<QueueMetrics>();
        services.AddSingleton<ICommitObserver>(provider => provider.GetRequiredService<QueueMetrics>());
        return services.AddStorage(connectionString);
    }

    /// <summary>The catalogue and whoever looks after it; in a host of several parts each part may ask for it.</summary>
    public static IServiceCollection AddCatalogue(this IServiceCollection services, CurrentCatalogue catalogue)
    {
        services.TryAddSingleton(catalogue);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, CatalogueWatch>());
        return services;
    }
}
