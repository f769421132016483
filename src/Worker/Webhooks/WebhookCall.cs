using System.Net.Http.Headers;
using LlmQueue.Hosting.Http;
using LlmQueue.Hosting.Settings;
using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Webhooks;

namespace LlmQueue.Worker.Webhooks;

/// <summary>One call of a tenant's address, signed; what came of it decides whether it is made again.</summary>
public sealed class WebhookCall(
    BatchRepository batches, WebhookChecks checks, OutboundHttp outside, QueueSettings settings, Jitter jitter, TimeProvider clock)
{
    private static readonly TimeSpan LongestCall = TimeSpan.FromSeconds(20);

    internal async Task<WebhookDecision> Make(DueWebhook due, CancellationToken cancellationToken)
    {
        var url = new Uri(due.Row.Url);
        var attempt = due.Row.Attempts - due.Row.TriesBefore;
        if (outside.WhyNot(url) is { } forbidden)
            return new WebhookDecision.GiveUp(forbidden, AddressIsGone: false);
        if (checks.WhyUnsigned(due.Row.Tenant) is { } unsigned)
            return new WebhookDecision.GiveUp($"{unsigned} Then replay it: POST /v1/webhooks/{due.Row.Id}/replay.", AddressIsGone: false);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(LongestCall);
        try
        {
            using var request = Request(url, due.Row,
                WebhookBody.Of(due, due.Row.BatchId is { } batch ? await batches.Find(batch, null, limit.Token) : null));
            using var response = await outside.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            return WebhookRule.Decide((int)response.StatusCode, null,
                response.Headers.RetryAfter is { } after ? after.Delta ?? after.Date - clock.GetUtcNow() : null, attempt, jitter.Next());
        }
        catch (HttpRequestException fault) when (fault.GetBaseException() is PrivateAddressException inside)
        {
            return new WebhookDecision.GiveUp(inside.Message, AddressIsGone: false);
        }
        catch (HttpRequestException fault)
        {
            return WebhookRule.Decide(null, $"the receiver cannot be reached: {fault.GetBaseException().Message}", null, attempt,
                jitter.Next());
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return WebhookRule.Decide(null, $"the receiver did not answer within {LongestCall.TotalSeconds:0} s", null, attempt,
                jitter.Next());
        }
    }

    private HttpRequestMessage Request(Uri url, WebhookRow row, byte[] body)
    {
        var timestamp = clock.GetUtcNow().ToUnixTimeSeconds();
        var request = new HttpRequestMessage(HttpMethod.Post, url)
        {
            Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } },
        };
        request.Headers.Add("webhook-id", row.MessageId);
        request.Headers.Add("webhook-timestamp", timestamp.ToString());
        request.Headers.Add("webhook-signature",
            WebhookSignature.Of(settings.WebhookSecretsOf(row.Tenant), row.MessageId, timestamp, body));
        request.Headers.UserAgent.ParseAdd("LlmQueue");
        return request;
    }
}
