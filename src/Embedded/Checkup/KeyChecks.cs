using System.Net.Http.Headers;
using LlmQueue.Embedded.Hosting;
using LlmQueue.Hosting.Settings;
using LlmQueue.Worker.Calling.Providers;

namespace LlmQueue.Embedded.Checkup;

/// <summary>Checks each key by asking its provider for its models. It costs nothing, and the key itself is never shown.</summary>
internal static class KeyChecks
{
    private static readonly TimeSpan AnswersWithin = TimeSpan.FromSeconds(5);

    public static async IAsyncEnumerable<Finding> All(
        Installation installation, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken stop)
    {
        if (installation.Settings.NoKeys)
        {
            yield return new Finding(Grade.Warning, "keys",
                "No provider has a key: answers come from the built-in simulated provider. Set one, for example GROQ_API_KEY.");
            yield break;
        }

        using var http = new HttpClient { Timeout = AnswersWithin };
        foreach (var provider in installation.Settings.Providers.Values)
            foreach (var key in provider.Keys)
                yield return await Check(http, provider, key, stop);
    }

    private static async Task<Finding> Check(HttpClient http, ProviderSettings provider, ProviderKey key, CancellationToken stop)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, provider.BaseUrl + "/models");
        ProviderRegistry.Of(provider.Name).AuthorizeModelList(request.Headers, key.Secret);
        try
        {
            using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop);
            var status = (int)answer.StatusCode;
            return status switch
            {
                >= 200 and < 300 => new Finding(Grade.Ok, "key", $"{key.Alias} is accepted by {provider.BaseUrl}."),
                401 or 403 => new Finding(Grade.Failed, "key",
                    $"{key.Alias} is refused by {provider.BaseUrl} ({status}). Put a valid key into {Variable(key)}."),
                429 =>
                    new Finding(Grade.Warning, "key", $"{key.Alias} is above its limit at {provider.BaseUrl} ({status}); its tasks wait."),
                _ => new Finding(Grade.Warning, "key",
                    $"{provider.BaseUrl} answers {status} to {key.Alias}; whether the key is accepted is not known."),
            };
        }
        catch (Exception fault) when (fault is HttpRequestException or OperationCanceledException && !stop.IsCancellationRequested)
        {
            var why = fault is HttpRequestException
                ? fault.GetBaseException().Message
                : $"no answer within {AnswersWithin.TotalSeconds:0} s";
            return new Finding(Grade.Failed, "key",
                $"{key.Alias}: {provider.BaseUrl} cannot be reached ({why}). "
                    + $"Check the network, or {provider.Name.ToUpperInvariant()}_BASE_URL.");
        }
    }

    private static string Variable(ProviderKey key) =>
        $"{key.Provider.ToUpperInvariant()}_API_KEY{(key.Number == 1 ? "" : $"_{key.Number}")}";
}
