using System.ClientModel;
using System.ClientModel.Primitives;
using System.Collections.Concurrent;
using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Store.Settings;
using OpenAI;
using OpenAI.Chat;

namespace LlmQueue.Worker.Calling;

/// <summary>What one call sends.</summary>
/// <param name="Model">The model's name on the wire.</param>
/// <param name="Messages">The conversation.</param>
/// <param name="MaxOutputTokens">The longest answer.</param>
/// <param name="Json">True when the answer must be one JSON object.</param>
public sealed record ProviderRequest(string Model, IReadOnlyList<LlmMessage> Messages, int MaxOutputTokens, bool Json);

/// <summary>Calls any provider through the OpenAI SDK on the provider's base URL, its own retries off: there is one owner of retries, the task's row.</summary>
public sealed class ProviderCalls(IReadOnlyDictionary<string, ProviderSettings> providers, TimeProvider clock) : IDisposable
{
    private readonly ConcurrentDictionary<string, ChatClient> _clients = new(StringComparer.Ordinal);

    // One pool of connections for all keys. The pipeline's own time-out is off: the breaker's time-out owns it.
    private readonly HttpClient _http = new(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5), ConnectTimeout = TimeSpan.FromSeconds(10), MaxConnectionsPerServer = 1024 })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    /// <summary>Makes the call and reads what came; a fault of the network is an outcome, not an exception.</summary>
    public async ValueTask<CallOutcome> Call(ProviderKey key, ProviderRequest request, CancellationToken cancellationToken)
    {
        var client = _clients.GetOrAdd(key.Alias, _ => Client(key));
        try
        {
            using var content = BinaryContent.Create(BinaryData.FromBytes(Body(request)));
            var options = new RequestOptions { CancellationToken = cancellationToken, ErrorOptions = ClientErrorBehaviors.NoThrow };
            var result = await client.CompleteChatAsync(content, options).ConfigureAwait(false);
            var response = result.GetRawResponse();
            return AnswerReader.Read(new RawAnswer(response.Status, response.Content.ToMemory(), name => response.Headers.TryGetValue(name, out var value) ? value : null), key.Provider, clock.GetUtcNow());
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or ClientResultException or AggregateException or OperationCanceledException)
        {
            // "The response ended prematurely" is half an answer; a connection that never was is not.
            var cause = e.GetBaseException();
            return cause is HttpIOException { HttpRequestError: HttpRequestError.ResponseEnded }
                ? new CallOutcome.Malformed($"the connection broke off in the middle ({cause.Message})")
                : new CallOutcome.Unreachable(cause.Message);
        }
    }

    public void Dispose() => _http.Dispose();

    private ChatClient Client(ProviderKey key)
    {
        var options = new OpenAIClientOptions
        {
            Endpoint = providers[key.Provider].BaseUrl,
            Transport = new HttpClientPipelineTransport(_http),
            RetryPolicy = new ClientRetryPolicy(0),
            NetworkTimeout = Timeout.InfiniteTimeSpan,
        };
        // The model goes with each request's body; the client is one a key.
        return new ChatClient("unused", new ApiKeyCredential(key.Secret.Length == 0 ? "none" : key.Secret), options);
    }

    private static byte[] Body(ProviderRequest request)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteString("model", request.Model);
            json.WriteStartArray("messages");
            // A message is kept as it goes on the wire.
            foreach (var message in request.Messages)
                JsonSerializer.Serialize(json, message);

            json.WriteEndArray();
            json.WriteNumber("max_tokens", request.MaxOutputTokens);
            if (request.Json)
            {
                json.WriteStartObject("response_format");
                json.WriteString("type", "json_object");
                json.WriteEndObject();
                json.WriteNumber("temperature", 0);
            }

            json.WriteEndObject();
        }

        return stream.ToArray();
    }
}
