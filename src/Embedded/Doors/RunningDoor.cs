using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmQueue.Contracts;
using LlmQueue.Embedded.Hosting;
using LlmQueue.Storage.Queue;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Embedded.Doors;

/// <summary>The queue of another process on this machine, through its API.</summary>
internal sealed class RunningDoor(HttpClient http, bool simulated) : IQueueDoor
{
    /// <summary>Tasks a request may be asked about in one go, since the API answers for one at a time.</summary>
    private const int AskedAtOnce = 20;
    private const int HandedInAtOnce = 500;

    public bool IsSimulated => simulated;

    public bool HasWorker => true;

    /// <summary>Null when nothing of ours answers there.</summary>
    public static async Task<RunningDoor?> TryOpen(Installation installation, CancellationToken cancel)
    {
        var listen = installation.Settings.ListenUrl;
        // "Every address" is where it listens, not where it can be called.
        var address = listen.Host is "0.0.0.0" or "[::]" ? new UriBuilder(listen) { Host = "127.0.0.1" }.Uri : listen;
        var http = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromSeconds(60) };
        if (installation.Settings.Tokens is [var token, ..])
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token.Secret);
        try
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            patience.CancelAfter(TimeSpan.FromSeconds(2));
            var health = JsonNode.Parse(await http.GetStringAsync("/health/live", patience.Token));
            if ((string?)health?["status"] == "live")
                return new RunningDoor(http, installation.Settings.NoKeys);
        }
        catch (Exception fault) when (fault is HttpRequestException or JsonException or OperationCanceledException && !cancel.IsCancellationRequested)
        {
            // Something else lives there, or nothing.
        }

        http.Dispose();
        return null;
    }

    public Task<SummaryProgress?> Progress(Guid id, CancellationToken cancel) => Get<SummaryProgress>($"/v1/summaries/{id}/progress", cancel);

    public Task<SummaryView?> Summary(Guid id, CancellationToken cancel) => Get<SummaryView>($"/v1/summaries/{id}", cancel);

    public Task Submit(SummarizePages summary, CancellationToken cancel) => Post("/v1/summaries", summary, cancel);

    public async Task Submit(IReadOnlyList<LlmTask> tasks, CancellationToken cancel)
    {
        foreach (var chunk in tasks.Chunk(HandedInAtOnce))
            await Post("/v1/tasks", chunk, cancel);
    }

    public Task<TaskView?> Find(Guid id, CancellationToken cancel) => Get<TaskView>($"/v1/tasks/{id}", cancel);

    public async Task<IReadOnlyDictionary<Guid, string>> States(IReadOnlyCollection<Guid> ids, CancellationToken cancel)
    {
        var states = new Dictionary<Guid, string>();
        foreach (var id in ids.Take(AskedAtOnce))
            if (await Find(id, cancel) is { } task)
                states[id] = task.State;
        return states;
    }

    public async Task<QueueView> Queue(CancellationToken cancel) =>
        await Get<QueueView>("/v1/queue", cancel) ?? throw new RefusalException($"The queue at {http.BaseAddress} does not say how it is doing; it may be of an older version.");

    public async Task SetBudget(string scope, string period, decimal? limitUsd, CancellationToken cancel)
    {
        using var answer = await Send(() => http.PutAsJsonAsync($"/v1/budgets/{Uri.EscapeDataString(scope)}/{period}", new { limitUsd }, JsonSerializerOptions.Web, cancel));
        await Check(answer, cancel);
    }

    public ValueTask DisposeAsync()
    {
        http.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<T?> Get<T>(string path, CancellationToken cancel) where T : class
    {
        using var answer = await Send(() => http.GetAsync(path, cancel));
        if (answer.StatusCode == HttpStatusCode.NotFound)
            return null;
        await Check(answer, cancel);
        return await answer.Content.ReadFromJsonAsync<T>(JsonSerializerOptions.Web, cancel);
    }

    private async Task Post<T>(string path, T body, CancellationToken cancel)
    {
        using var answer = await Send(() => http.PostAsJsonAsync(path, body, JsonSerializerOptions.Web, cancel));
        await Check(answer, cancel);
    }

    private async Task<HttpResponseMessage> Send(Func<Task<HttpResponseMessage>> call)
    {
        try
        {
            return await call();
        }
        catch (HttpRequestException fault)
        {
            throw new RefusalException($"The queue at {http.BaseAddress} has stopped answering ({fault.Message}). Run the same command again; what was handed in is kept.", fault);
        }
    }

    // The API refuses in sentences of its own.
    private async Task Check(HttpResponseMessage answer, CancellationToken cancel)
    {
        if (answer.IsSuccessStatusCode)
            return;
        var body = await answer.Content.ReadAsStringAsync(cancel);
        var detail = body.StartsWith('{') ? (string?)JsonNode.Parse(body)?["detail"] : null;
        throw new RefusalException(detail ?? $"The queue at {http.BaseAddress} answered {(int)answer.StatusCode}.");
    }
}
