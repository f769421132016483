using System.ClientModel;
using System.ClientModel.Primitives;
using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Hosting.Settings;
using LlmQueue.Storage;
using LlmQueue.Worker.Calling.Reading;
using LlmQueue.Worker.Recovery;
using OpenAI;
using OpenAI.Chat;

namespace LlmQueue.Worker.Calling;

/// <summary>What one call sends.</summary>
/// <param name="Model">The model's name on the wire.</param>
/// <param name="Messages">The conversation.</param>
/// <param name="MaxOutputTokens">The longest answer.</param>
/// <param name="Json">True when the answer must be one JSON object.</param>
/// <param name="Schema">The JSON schema that it must keep, for a model that can be held to one.</param>
public sealed record ProviderRequest(string Model, IReadOnlyList<LlmMessage> Messages, int MaxOutputTokens, bool Json, string? Schema = null)
{
    /// <summary>What else is said, in the provider's own names; checked at intake.</summary>
    public JsonElement? Parameters { get; init; }

    /// <summary>Told each piece of the answer as it comes, with the characters before it; null where nobody reads along.</summary>
    public Action<int, string>? Say { get; init; }
}

/// <summary>Calls any provider through the OpenAI SDK on the provider's base URL, its own retries off: there is one owner of retries, the task's row.</summary>
public sealed class ProviderCalls(IReadOnlyDictionary<string, ProviderSettings> providers, TimeProvider clock) : IDisposable
{
    /// <summary>A word that is shorter is none that anybody keeps secret: local servers take any.</summary>
    private const int ShortestSecret = 8;

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
            using var content = BinaryContent.Create(BinaryData.FromBytes(Body(request, ProviderQuirks.For(key.Provider))));
            var options = new RequestOptions { CancellationToken = cancellationToken, ErrorOptions = ClientErrorBehaviors.NoThrow, BufferResponse = request.Say is null };
            var result = await client.CompleteChatAsync(content, options).ConfigureAwait(false);
            var response = result.GetRawResponse();
            var answer = request.Say is { } say ? await Streamed(response, say, cancellationToken).ConfigureAwait(false) : response.Content.ToMemory();
            return AnswerReader.Read(new RawAnswer(response.Status, WithoutKey(answer, key), name => response.Headers.TryGetValue(name, out var value) ? value : null), key.Provider, clock.GetUtcNow());
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or ClientResultException or JsonException or AggregateException or OperationCanceledException)
        {
            // Where no connection came about nothing was asked. Once the request was on its way the provider may have worked for it, and may charge it.
            var cause = e.GetBaseException().Message;
            return NeverArrived(e) ? new CallOutcome.Unreachable(cause) : new CallOutcome.Malformed($"the connection broke off in the middle ({cause})") { BrokenOff = true };
        }
    }

    /// <summary>Asks for the list of models, which costs nothing: why nobody answers, or null when somebody does, were it with a refusal.</summary>
    public async Task<string?> WhySilent(ProviderKey key, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(patience);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"{providers[key.Provider].BaseUrl}/models"));
            request.Headers.Authorization = new("Bearer", key.Secret);
            using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            return (int)answer.StatusCode < 500 ? null : $"it answers {(int)answer.StatusCode}";
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return $"no answer within {patience.TotalSeconds:0.#} s";
        }
        catch (HttpRequestException e)
        {
            return e.GetBaseException().Message;
        }
    }

    public void Dispose() => _http.Dispose();

    /// <summary>A refusal comes whole, and so does the answer of a provider that does not stream.</summary>
    private static async Task<ReadOnlyMemory<byte>> Streamed(PipelineResponse response, Action<int, string> say, CancellationToken cancellationToken)
    {
        using var owned = response;
        if (response.ContentStream is { } stream && response.Headers.TryGetValue("content-type", out var type) && type?.StartsWith("text/event-stream", StringComparison.OrdinalIgnoreCase) == true)
            return await StreamedAnswer.Read(stream, say, cancellationToken).ConfigureAwait(false);
        return (await response.BufferContentAsync(cancellationToken).ConfigureAwait(false)).ToMemory();
    }

    /// <summary>Some providers and proxies quote the key that they refuse. What they say is kept in rows, told in answers and logged: the key is not.</summary>
    private static ReadOnlyMemory<byte> WithoutKey(ReadOnlyMemory<byte> answer, ProviderKey key)
    {
        var secret = Encoding.UTF8.GetBytes(key.Secret);
        return secret.Length < ShortestSecret || answer.Span.IndexOf(secret) < 0 ? answer
            : Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(answer.Span).Replace(key.Secret, $"[{key.Alias}]", StringComparison.Ordinal));
    }

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

    private static bool NeverArrived(Exception? e)
    {
        // Our own cancellation is thrown on before: this one is the connection's time-out.
        if (e is OperationCanceledException)
            return true;
        for (; e is not null; e = e is AggregateException { InnerExceptions: [var only] } ? only : e.InnerException)
            if (e is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError or HttpRequestError.ProxyTunnelError })
                return true;
        return false;
    }

    private static byte[] Body(ProviderRequest request, ProviderQuirks quirks)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteString("model", request.Model);
            json.WriteStartArray("messages");
            // A message is kept as it goes on the wire.
            foreach (var message in request.Messages)
            {
                json.WriteStartObject();
                WriteMessage(json, message);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteNumber(quirks.LongestAnswer, request.MaxOutputTokens);
            if (request.Parameters is { ValueKind: JsonValueKind.Object } parameters)
                foreach (var parameter in parameters.EnumerateObject().Where(p => p.Value.ValueKind is not JsonValueKind.Null))
                    parameter.WriteTo(json);
            if (request.Say is not null)
            {
                json.WriteBoolean("stream", true);
                json.WriteStartObject("stream_options");
                json.WriteBoolean("include_usage", true);
                json.WriteEndObject();
            }

            if (request.Json)
            {
                json.WriteStartObject("response_format");
                json.WriteString("type", request.Schema is null ? "json_object" : "json_schema");
                if (request.Schema is not null)
                {
                    json.WriteStartObject("json_schema");
                    json.WriteString("name", "answer");
                    json.WriteBoolean("strict", true);
                    json.WritePropertyName("schema");
                    json.WriteRawValue(request.Schema);
                    json.WriteEndObject();
                }

                json.WriteEndObject();
                if (quirks.TakesTemperature)
                    json.WriteNumber("temperature", 0);
            }

            json.WriteEndObject();
        }

        return stream.ToArray();
    }

    private static void WriteMessage(Utf8JsonWriter json, LlmMessage message)
    {
        json.WriteString("role", message.Role);
        // A turn that only calls tools has no text, and some providers refuse an empty one.
        if (message.Images is { Count: > 0 })
        {
            json.WritePropertyName("content");
            JsonSerializer.SerializeToElement(message).GetProperty("content").WriteTo(json);
        }
        else if (message.Content.Length == 0 && message.ToolCalls is not null)
            json.WriteNull("content");
        else
            json.WriteString("content", message.Content);
        if (message.Name is { } name)
            json.WriteString("name", name);
        if (message.ToolCallId is { } call)
            json.WriteString("tool_call_id", call);
        if (message.ToolCalls is { ValueKind: JsonValueKind.Array } calls)
        {
            json.WritePropertyName("tool_calls");
            calls.WriteTo(json);
        }
    }
}
