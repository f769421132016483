using System.Net.Http.Headers;
using LlmQueue.Api;
using LlmQueue.Catalogue;
using LlmQueue.Hosting;
using LlmQueue.Hosting.Bus;
using LlmQueue.Hosting.Settings;
using LlmQueue.Storage;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker;
using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Tests.Api;

/// <summary>
/// API and worker in this process, as the one-process host puts them together: real PostgreSQL, bus in memory, real HTTP on both sides.
/// </summary>
public sealed class WholeQueue : IAsyncDisposable
{
    private static readonly WorkerOptions Quick = new()
    {
        CallTimeout = TimeSpan.FromSeconds(20), FirstBackOff = TimeSpan.FromMilliseconds(20), RescueEvery = TimeSpan.FromMilliseconds(500),
    };
    private readonly WebApplication app;

    private WholeQueue(WebApplication app, string database) => (this.app, Database) = (app, database);

    public string Database { get; }

    public IServiceProvider Services => app.Services;

    public Uri Url => new(app.Urls.Single());

    public HttpClient Anna => Client("first-secret");

    public HttpClient Ben => Client("second-secret");

    /// <param name="catalogue">A catalogue's JSON; see <see cref="TestCatalogue"/>.</param>
    /// <param name="providerUrl">Where groq's key leads to.</param>
    /// <param name="more">Settings besides the usual ones.</param>
    public static async Task<WholeQueue> Start(string catalogue, string providerUrl, params (string Name, string? Value)[] more)
    {
        var database = await (await SharedServers.Postgres).CreateDatabase();
        var variables = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["GROQ_API_KEY"] = "sk-key-1", ["GROQ_BASE_URL"] = providerUrl, ["DATABASE_URL"] = database,
            ["LLMQUEUE_URL"] = "http://127.0.0.1:0", ["LLMQUEUE_TOKENS"] = "anna:first-secret,ben:second-secret",
        };
        foreach (var (name, value) in more)
            variables[name] = value;
        var settings = QueueSettings.Read(variables, AppContext.BaseDirectory);
        var parsed = new CurrentCatalogue(ModelCatalogue.Parse(catalogue, "test.json"));
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddQueueStorage(settings.DatabaseUrl!);
        builder.Services.AddQueueWorker(settings, parsed, Quick);
        builder.Services.AddQueueUpkeep(settings.DatabaseUrl!);
        builder.Services.AddQueueApi(settings, parsed);
        builder.Services.AddQueueBus(null, WorkerBus.Register, WorkerBus.Endpoints);
        var started = builder.Build().MapQueueApi();
        await WorkerHost.Prepare(started.Services, started.Logger, TestContext.Current.CancellationToken);
        await started.StartAsync(TestContext.Current.CancellationToken);
        await started.Services.GetRequiredService<IBusControl>().WaitForHealthStatus(BusHealthStatus.Healthy, TimeSpan.FromSeconds(20));
        return new WholeQueue(started, database);
    }

    public HttpClient Client(string? secret)
    {
        var client = new HttpClient { BaseAddress = Url, Timeout = TimeSpan.FromMinutes(2) };
        client.DefaultRequestHeaders.Authorization = secret is null ? null : new AuthenticationHeaderValue("Bearer", secret);
        return client;
    }

    public async Task<T> Read<T>(Func<QueueDb, Task<T>> read)
    {
        await using var db = await Services.GetRequiredService<IDbContextFactory<QueueDb>>()
            .CreateDbContextAsync(TestContext.Current.CancellationToken);
        return await read(db);
    }

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync(CancellationToken.None);
        await app.DisposeAsync();
    }
}
