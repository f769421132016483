using LlmQueue.Catalogue;
using LlmQueue.Storage.Budgets;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Queue;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace LlmQueue.Embedded.Hosting;

/// <summary>
/// The services that commands use in their own process. Each command gets all of them when it opens its client, so a missing registration
/// fails every command and its test, not only the one that happens to need it.
/// </summary>
internal sealed record ClientServices(
    SummaryViews Summaries, TaskViews Tasks, QueueViews Queue, Submissions Submissions, BudgetRepository Budgets);

internal static class ClientRegistration
{
    /// <summary>What a command needs beside the store; with a worker the catalogue is there already, and watched.</summary>
    public static IServiceCollection AddQueueClient(this IServiceCollection services, CurrentCatalogue catalogue)
    {
        services.TryAddSingleton(catalogue);
        services.AddSingleton<ClientServices>();
        return services;
    }
}
