using LlmQueue.Api.Access;
using LlmQueue.Api.Batches;
using LlmQueue.Api.Budgets;
using LlmQueue.Api.Chat;
using LlmQueue.Api.Files;
using LlmQueue.Api.Health;
using LlmQueue.Api.Models;
using LlmQueue.Api.Queue;
using LlmQueue.Api.Summaries;
using LlmQueue.Api.Tasks;
using LlmQueue.Api.Webhooks;
using LlmQueue.Api.Wire;
using LlmQueue.Catalogue;
using LlmQueue.Hosting;
using LlmQueue.Hosting.Http;
using LlmQueue.Hosting.Settings;
using LlmQueue.Storage;
using LlmQueue.Storage.Streaming;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace LlmQueue.Api;

/// <summary>
/// Registers the services of the API, in its own host or in the one process that does everything. The host adds storage and bus.
/// </summary>
public static class ApiServices
{
    /// <param name="services">The host's.</param>
    /// <param name="settings">The installation's.</param>
    /// <param name="catalogue">The models.</param>
    /// <param name="cliToken">The secret by which the installation's own commands call; null where they do not come
    /// through the API.</param>
    public static IServiceCollection AddQueueApi(
        this IServiceCollection services, QueueSettings settings, CurrentCatalogue catalogue, string? cliToken = null)
    {
        services.AddCatalogue(catalogue);
        services.TryAddSingleton(_ => Prepared());
        services.AddSingleton(new Callers(settings.Tokens, cliToken));
        services.AddSingleton(provider => new RequestLimit(settings.RequestsPerMinute, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<DatabaseRetry>().AddSingleton<BodyBudget>().AddSingleton<OpenStreams>();
        services.AddSingleton<Readiness>();
        services.TryAddSingleton<ModelChecks>();
        services.AddSingleton<TaskReader>();
        services.AddSingleton<FileUpload>();
        services.TryAddSingleton(_ => new OutboundHttp(settings.PrivateHosts));
        services.TryAddSingleton(provider => new WebhookChecks(settings, provider.GetRequiredService<OutboundHttp>()));
        services.AddSingleton<PageFetch>();
        services.AddSingleton<ChatStream>();
        services.AddLoop<TokenListener>();
        services.ConfigureHttpJsonOptions(json => ApiJson.Configure(json.SerializerOptions));
        services.Configure<KestrelServerOptions>(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = JsonBody.LargestBody;
        });
        return services;
    }

    public static WebApplication MapQueueApi(this WebApplication app)
    {
        app.UseProblemAnswers();
        app.UseAccessGate();
        app.MapTasks();
        app.MapFeedback();
        app.MapTaskEvents();
        app.MapOpenApiDocument();
        app.MapSummaries();
        app.MapFiles();
        app.MapBatches();
        app.MapWebhooks();
        app.MapChat();
        app.MapModels();
        app.MapHealth();
        app.MapQueue();
        app.MapBudgets();
        return app;
    }

    /// <summary>A host that says nothing else has prepared its database before it runs.</summary>
    private static Preparation Prepared()
    {
        var preparation = new Preparation();
        preparation.Done();
        return preparation;
    }
}
