using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmQueue.Contracts;
using LlmQueue.Embedded.Hosting;
using LlmQueue.Storage.Queue;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Embedded.Clients;

/// <summary>A client of the queue in another process on this machine, through its API.</summary>
internal sealed class HttpQueueClient(HttpClient http, bool simulated) : IQueueClient
{
    /// <summary>Tasks that may be asked about in one go, since the API answers for one at a time.</summary>
    private const int AskedAtOnce = 20;
    private const int HandedInAtOnce = 500;

    /// <summary>
    /// Where nobody listens the answer is no at once; a queue that has just started on a busy machine takes seconds for its first one.
    /// </summary>
    private static readonly TimeSpan AnswersWithin = TimeSpan.FromSeconds(15);

    public bool IsSimulated => simulated;

    public bool HasWorker => true;

    /// <summary>Null when nothing of ours answers there.</summary>
    public static async Task<HttpQueueClient?> TryOpen(Installation installation, string? token, CancellationToken cancellationToken)
    {
        var listen = installation.Settings.ListenUrl;
        // "Every address" is where it listens, not where it can be called.
        var address = listen.Host is "0.0.0.0" or "[::]" ? new UriBuilder(listen) { Host = "127.0.0.1" }.Uri : listen;
        // No proxy of the environment stands between two processes of one machine.
        var http = new HttpClient(new SocketsHttpHandler { UseProxy = false })
        {
            BaseAddress = address, Timeout = TimeSpan.FromSeconds(60),
        };
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(AnswersWithin);
            if ((string?)JsonNode.Parse(await http.GetStringAsync("/health/live", limit.Token))?["status"] == "live")
            {
                // Only now: what lives there may be somebody else's program.
                if (token is not null)
                    http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
                return new HttpQueueClient(http, installation.Settings.NoKeys);
            }
        }
        catch (Exception fault) when (IsNoAnswer(fault, cancellationToken) || fault is InvalidOperationException)
        {
            // Something else lives there, or nothing.
        }

        http.Dispose();
        return null;
    }

    public Task<SummaryProgress?> Progress(Guid id, CancellationToken cancellationToken) =>
        Get<SummaryProgress>($"/v1/summaries/{id}/progress", cancellationToken);

    public Task<SummaryView?> Summary(Guid id, CancellationToken cancellationToken) =>
        Get<SummaryView>($"/v1/summaries/{id}", cancellationToken);

    public Task Submit(SummarizePages summary, CancellationToken cancellationToken) => Post("/v1/summaries", summary, cancellationToken);

    public async Task Submit(IReadOnlyList<LlmTask> tasks, CancellationToken cancellationToken)
    {
        foreach (var chunk in tasks.Chunk(HandedInAtOnce))
            await Post("/v1/tasks", chunk, cancellationToken);
    }

    public Task<TaskView?> Find(Guid id, CancellationToken cancellationToken) => Get<TaskView>($"/v1/tasks/{id}", cancellationToken);

    public async Task<IReadOnlyDictionary<Guid, string>> States(IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken)
    {
        var states = new Dictionary<Guid, string>();
        foreach (var id in ids.Take(AskedAtOnce))
            if (await Find(id, cancellationToken) is { } task)
                states[id] = task.State;
        return states;
    }

    public async Task<QueueView> Queue(CancellationToken cancellationToken) => await Get<QueueView>("/v1/queue", cancellationToken)
        ?? throw new RefusalException($"The queue at {http.BaseAddress} does not say how it is doing; it may be of an older version.");

    public async Task SetBudget(string scope, string period, decimal? limitUsd, CancellationToken cancellationToken)
    {
        var place = $"/v1/budgets/{Uri.EscapeDataString(scope)}/{period}";
        using var answer = await Send(() => http.PutAsJsonAsync(place, new { limitUsd }, JsonSerializerOptions.Web, cancellationToken),
            cancellationToken);
    }

    public ValueTask DisposeAsync()
    {
        http.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<T?> Get<T>(string path, CancellationToken cancellationToken) where T : class
    {
        using var answer = await Send(() => http.GetAsync(path, cancellationToken), cancellationToken);
        if (answer.StatusCode == HttpStatusCode.NotFound)
            return null;
        try
        {
            return await answer.Content.ReadFromJsonAsync<T>(JsonSerializerOptions.Web, cancellationToken);
        }
        catch (JsonException fault)
        {
            throw new RefusalException(
                $"What answers at {http.BaseAddress} does not speak as the queue does; it may be of another version.", fault);
        }
    }

    private async Task Post<T>(string path, T body, CancellationToken cancellationToken)
    {
        using var answer = await Send(() => http.PostAsJsonAsync(path, body, JsonSerializerOptions.Web, cancellationToken),
            cancellationToken);
    }

    private async Task<HttpResponseMessage> Send(Func<Task<HttpResponseMessage>> call, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await call();
            if (answer.IsSuccessStatusCode
                || (answer.StatusCode == HttpStatusCode.NotFound && answer.RequestMessage?.Method == HttpMethod.Get))
                return answer;
            using (answer)
                throw new RefusalException(await Refusal(answer, cancellationToken));
        }
        catch (Exception fault) when (IsNoAnswer(fault, cancellationToken))
        {
            throw new RefusalException(
                $"The queue at {http.BaseAddress} has stopped answering ({fault.Message}). "
                    + "Run the same command again; what was handed in is kept.",
                fault);
        }
    }

    private async Task<string> Refusal(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        if (answer.StatusCode == HttpStatusCode.Unauthorized)
            return $"The queue at {http.BaseAddress} does not know this command: "
                + "its file cli-token in LLMQUEUE_DATA is missing, or another user's. Run the command as the user that the queue runs as.";
        // The API refuses in sentences of its own.
        var body = await answer.Content.ReadAsStringAsync(cancellationToken);
        try
        {
            if (body.StartsWith('{') && (string?)JsonNode.Parse(body)?["detail"] is { } detail)
                return detail;
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            // Not one of them.
        }

        return $"The queue at {http.BaseAddress} answered {(int)answer.StatusCode}.";
    }

    private static bool IsNoAnswer(Exception fault, CancellationToken cancellationToken) =>
        fault is HttpRequestException or JsonException
            || (fault is OperationCanceledException && !cancellationToken.IsCancellationRequested);
}
