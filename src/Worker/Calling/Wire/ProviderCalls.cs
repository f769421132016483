using System.ClientModel;
using System.ClientModel.Primitives;
using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using LlmQueue.Hosting.Settings;
using LlmQueue.Worker.Calling.Providers;
using LlmQueue.Worker.Calling.Reading;
using LlmQueue.Worker.Outcomes;
using OpenAI;
using OpenAI.Chat;

namespace LlmQueue.Worker.Calling.Wire;

/// <summary>
/// Calls any provider through the OpenAI SDK on the provider's base URL. The SDK's retries are off: there is one owner of retries, the
/// task's row.
/// </summary>
public sealed class ProviderCalls(QueueSettings settings, ProviderHttp http, TimeProvider clock)
{
    /// <summary>A word that is shorter is none that anybody keeps secret: local servers take any.</summary>
    private const int ShortestSecret = 8;

    private readonly ConcurrentDictionary<string, ChatClient> _clients = new(StringComparer.Ordinal);

    /// <summary>Makes the call and reads what came; a fault of the network is an outcome, not an exception.</summary>
    public async ValueTask<CallOutcome> Call(ProviderKey key, ProviderRequest request, CancellationToken cancellationToken)
    {
        var client = _clients.GetOrAdd(key.Alias, _ => Client(key));
        var provider = ProviderRegistry.Of(key.Provider);
        try
        {
            using var content = BinaryContent.Create(BinaryData.FromBytes(RequestBody.Of(request, provider)));
            var options = new RequestOptions
            {
                CancellationToken = cancellationToken,
                ErrorOptions = ClientErrorBehaviors.NoThrow,
                BufferResponse = request.Say is null,
            };
            var result = await client.CompleteChatAsync(content, options).ConfigureAwait(false);
            var response = result.GetRawResponse();
            var body = request.Say is { } say
                ? await Streamed(response, say, cancellationToken).ConfigureAwait(false)
                : response.Content.ToMemory();
            return provider.Read(new RawAnswer(response.Status, WithoutKey(body, key), Header), clock.GetUtcNow());

            string? Header(string name) => response.Headers.TryGetValue(name, out var value) ? value : null;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or ClientResultException or JsonException or AggregateException
            or OperationCanceledException)
        {
            // Where no connection came about nothing was asked. Once the request was on its way the provider may have worked for it, and
            // may charge it.
            var cause = e.GetBaseException().Message;
            return NeverArrived(e)
                ? new CallOutcome.Unreachable(cause)
                : new CallOutcome.Malformed($"the connection broke off in the middle ({cause})") { BrokenOff = true };
        }
    }

    /// <summary>A refusal comes whole, and so does the answer of a provider that does not stream.</summary>
    private static async Task<ReadOnlyMemory<byte>> Streamed(
        PipelineResponse response, Action<int, string> say, CancellationToken cancellationToken)
    {
        using var owned = response;
        var isStream = response.Headers.TryGetValue("content-type", out var type)
            && type?.StartsWith("text/event-stream", StringComparison.OrdinalIgnoreCase) == true;
        if (isStream && response.ContentStream is { } stream)
            return await StreamedAnswer.Read(stream, say, cancellationToken).ConfigureAwait(false);
        return (await response.BufferContentAsync(cancellationToken).ConfigureAwait(false)).ToMemory();
    }

    /// <summary>
    /// Some providers and proxies quote the key that they refuse. What they say is kept in rows, told in answers and logged: the key is
    /// not.
    /// </summary>
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
            Endpoint = settings.Providers[key.Provider].BaseUrl,
            Transport = new HttpClientPipelineTransport(http.Client),
            RetryPolicy = new ClientRetryPolicy(0),
            // The breaker's time-out owns the call.
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
            if (e is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError
                or HttpRequestError.SecureConnectionError or HttpRequestError.ProxyTunnelError })
                return true;
        return false;
    }
}
