using System.Net.Http.Headers;
using LlmQueue.Hosting.Http;
using LlmQueue.Hosting.Settings;
using LlmQueue.Storage;
using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Webhooks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.Webhooks;

/// <summary>
/// Tells tenants' addresses that their tasks and batches have ended: at least once, the same id each time, over hours where it must be. The
/// rows are the timers. A slow receiver takes one of its tenant's sixteen places and no more
/// than twenty seconds; the others go on.
/// </summary>
public sealed class WebhookLoop(
    WebhookRepository book, Signal<WebhookRow> webhookDue, BatchRepository batches, WebhookChecks checks, OutboundHttp outside,
    QueueSettings settings, Jitter jitter, TimeProvider clock, ILogger<WebhookLoop> logger) : BackgroundService
{
    private const int Places = 64, PlacesOfTenant = 16;
    private static readonly TimeSpan LongestCall = TimeSpan.FromSeconds(20), LongestSleep = TimeSpan.FromSeconds(10),
        ShortestSleep = TimeSpan.FromMilliseconds(20), BetweenLooks = TimeSpan.FromMilliseconds(250);
    private int _busy;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var taken = await book.Take(Places - Volatile.Read(ref _busy), PlacesOfTenant, stoppingToken);
                foreach (var due in taken)
                    _ = Call(due, stoppingToken);
                // What is due and was not taken is another worker's, or waits for its tenant's own calls to end.
                var shortest = taken.Count > 0 ? ShortestSleep : BetweenLooks;
                var next = Volatile.Read(ref _busy) < Places ? await book.Next(stoppingToken) : null;
                var sleep = next is { } at && at - clock.GetUtcNow().UtcDateTime < LongestSleep
                    ? at - clock.GetUtcNow().UtcDateTime
                    : LongestSleep;
                await webhookDue.Wait(sleep > shortest ? sleep : shortest, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                if (!DatabaseFaults.IsPassing(e))
                    logger.LogError(e, "Webhooks could not be looked at; it is tried again.");
                await webhookDue.Wait(TimeSpan.FromSeconds(1), CancellationToken.None);
            }
        }
    }

    private async Task Call(DueWebhook due, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _busy);
        try
        {
            var began = clock.GetTimestamp();
            var decision = due.AddressIsGone
                ? new WebhookDecision.GiveUp("the address answered 410 to a call before this one", AddressIsGone: false)
                : await Try(due, cancellationToken);
            var took = clock.GetElapsedTime(began);
            switch (decision)
            {
                case WebhookDecision.Delivered:
                    await book.Delivered(due.Row, decision.Result, took, cancellationToken);
                    break;
                case WebhookDecision.TryAgain again:
                    await book.TryAgain(due.Row, decision.Result, took, again.Pause, cancellationToken);
                    break;
                case WebhookDecision.GiveUp end:
                    if (end.AddressIsGone)
                        await book.Gone(due.Row, cancellationToken);
                    await book.GivenUp(due.Row, decision.Result, took, cancellationToken);
                    break;
            }
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // Its row stands; the call is made again when its lease is over.
            logger.LogDebug("Webhook {Webhook} is tried again later: {Reason}", due.Row.Id, e.Message);
        }
        finally
        {
            Interlocked.Decrement(ref _busy);
            webhookDue.Set();
        }
    }

    private async Task<WebhookDecision> Try(DueWebhook due, CancellationToken cancellationToken)
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
