using LlmQueue.Hosting.Settings;
using LlmQueue.Worker.Calling.Providers;
using LlmQueue.Worker.Calling.Wire;

namespace LlmQueue.Worker.Probes;

/// <summary>Probes a provider with a request for its list of models, which costs nothing.</summary>
public sealed class ModelListProbe(QueueSettings settings, ProviderHttp http)
{
    /// <summary>Why nobody answers, or null when somebody does, were it with a refusal.</summary>
    public async Task<string?> WhySilent(ProviderKey key, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(timeout);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"{settings.Providers[key.Provider].BaseUrl}/models"));
            ProviderRegistry.Of(key.Provider).AuthorizeModelList(request.Headers, key.Secret);
            using var answer = await http.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            return (int)answer.StatusCode < 500 ? null : $"it answers {(int)answer.StatusCode}";
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return $"no answer within {timeout.TotalSeconds:0.#} s";
        }
        catch (HttpRequestException e)
        {
            return e.GetBaseException().Message;
        }
    }
}
