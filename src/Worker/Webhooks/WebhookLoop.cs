using LlmQueue.Storage.Loops;
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
    WebhookRepository book, WebhookCall call, Signal<WebhookRow> webhookDue, TimeProvider clock, ILogger<WebhookLoop> logger)
    : BackgroundService
{
    private const int Places = 64, PlacesOfTenant = 16;
    private static readonly TimeSpan LongestSleep = TimeSpan.FromSeconds(10),
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
                : await call.Make(due, cancellationToken);
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
}
