using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using LlmQueue.Api;
using LlmQueue.Api.Wire;
using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Hosting.Settings;
using LlmQueue.Storage;
using LlmQueue.Tests.Harness;
using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Api;

/// <summary>
/// The API itself on a port of its own, a real PostgreSQL and the bus in memory; no worker is there, so what is handed in stays as it is.
/// </summary>
public sealed class ApiUnderTest : IAsyncLifetime
{
    public const string CatalogueText = """
        { "models": [
            { "id": "groq:small", "context": 8000, "maxOutput": 2000 },
            { "id": "groq:large", "context": 100000, "maxOutput": 8000 } ],
          "routes": [ { "task": "any", "complexity": "any", "models": ["groq:small", "groq:large"] } ],
          "pools": { "summary": ["groq:small"], "synthesis": ["groq:large"] } }
        """;

    private readonly ConcurrentBag<object> sent = [];
    private WebApplication app = null!;

    public HttpClient Anna { get; private set; } = null!;

    public HttpClient Ben { get; private set; } = null!;

    public HttpClient Nobody { get; private set; } = null!;

    public IServiceProvider Services => app.Services;

    public async ValueTask InitializeAsync()
    {
        app = await Start(await (await SharedServers.Postgres).CreateDatabase(), "anna:first-secret,ben:second-secret");
        await Listen<CancelTask>(QueueNames.Lifecycle);
        await Listen<CancelSummary>(QueueNames.SummaryLifecycle);
        await Listen<MoveBatch>(QueueNames.Batches);
        (Anna, Ben, Nobody) = (Client(app, "first-secret"), Client(app, "second-secret"), Client(app, null));
    }

    public async ValueTask DisposeAsync() => await app.DisposeAsync();

    public static async Task<WebApplication> Start(string database, string? tokens, CatalogueFile? file = null)
    {
        var settings = QueueSettings.Read(new Dictionary<string, string?>
        {
            ["DATABASE_URL"] = database, ["LLMQUEUE_URL"] = "http://127.0.0.1:0", ["LLMQUEUE_TOKENS"] = tokens,
        }, AppContext.BaseDirectory);
        var started = ApiHost.Build(settings, new CurrentCatalogue(ModelCatalogue.Parse(CatalogueText, "catalogue.json"), file));
        Assert.Null(await ApiHost.WhyNotStarted(started, settings));
        return started;
    }

    public static HttpClient Client(WebApplication app, string? secret)
    {
        var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
        client.DefaultRequestHeaders.Authorization = secret is null ? null : new AuthenticationHeaderValue("Bearer", secret);
        return client;
    }

    /// <summary>Writes rows as a worker would have.</summary>
    public async Task Write(params object[] rows)
    {
        await using var db = await Services.GetRequiredService<IDbContextFactory<QueueDb>>().CreateDbContextAsync(Cancel);
        db.AddRange(rows);
        await db.SaveChangesAsync(Cancel);
    }

    /// <summary>The command of this type that the API has sent, or sends within moments.</summary>
    public Task<T> Sent<T>(Func<T, bool> which) where T : class =>
        Eventually.Found(typeof(T).Name, TimeSpan.FromSeconds(10), () => Task.FromResult(sent.OfType<T>().FirstOrDefault(which)));

    public IEnumerable<T> AllSent<T>() => sent.OfType<T>();

    private Task Listen<T>(string queue) where T : class =>
        Services.GetRequiredService<IBusControl>().ConnectReceiveEndpoint(queue, endpoint =>
        {
            endpoint.Handler<T>(context => Keep(context.Message));
            if (queue == QueueNames.SummaryLifecycle)
                endpoint.Handler<StartSummary>(context => Keep(context.Message));
        }).Ready;

    private Task Keep(object message)
    {
        sent.Add(message);
        return Task.CompletedTask;
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;
}

internal static class HttpWords
{
    public static Task<HttpResponseMessage> PostText(
        this HttpClient client, string address, string body, params (string Name, string Value)[] headers)
    {
        var request =
            new HttpRequestMessage(HttpMethod.Post, address) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        foreach (var (name, value) in headers)
            request.Headers.Add(name, value);
        return client.SendAsync(request, TestContext.Current.CancellationToken);
    }

    /// <summary>The body, after the status was the expected one.</summary>
    public static async Task<JsonElement> Body(this Task<HttpResponseMessage> response, int status)
    {
        using var answer = await response;
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True((int)answer.StatusCode == status, $"Expected {status}, found {(int)answer.StatusCode}: {text}");
        return JsonDocument.Parse(text).RootElement;
    }

    /// <summary>The detail of a problem, after the status was the expected one and the body was one.</summary>
    public static async Task<string> Problem(this Task<HttpResponseMessage> response, int status)
    {
        var body = await Body(response, status);
        Assert.Equal("application/problem+json", (await response).Content.Headers.ContentType?.MediaType);
        Assert.Equal(status, body.GetProperty("status").GetInt32());
        Assert.StartsWith("urn:llmqueue:problem:", body.GetProperty("type").GetString());
        Assert.NotEmpty(body.GetProperty("title").GetString()!);
        return body.GetProperty("detail").GetString()!;
    }

    public static Task<HttpResponseMessage> Get(this HttpClient client, string address) =>
        client.GetAsync(address, TestContext.Current.CancellationToken);

    public static Task<HttpResponseMessage> Delete(this HttpClient client, string address) =>
        client.DeleteAsync(address, TestContext.Current.CancellationToken);

    public static string Text(this JsonElement element, string name) => element.GetProperty(name).GetString()!;
}
