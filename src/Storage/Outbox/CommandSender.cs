using LlmQueue.Contracts;
using MassTransit;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Storage.Outbox;

/// <summary>
/// Rings bells after a commit, each at the queue of whoever answers it. A bell that is lost is rung again by redelivery or by the Rescuer.
/// </summary>
public sealed class CommandSender(IServiceProvider services, ILogger<CommandSender> logger)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Never fails: what cannot be rung now stands in its row, and the Rescuer rings for it.</summary>
    /// <returns>False when the broker did not take them all.</returns>
    public async Task<bool> Send(IReadOnlyCollection<object> bells, CancellationToken cancellationToken)
    {
        // A process that only writes rows has no bus; whoever works on them finds them.
        if (bells.Count == 0 || services.GetService(typeof(IBus)) is not IBus bus)
            return true;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Patience);
        try
        {
            await Task.WhenAll(bells.Select(async bell =>
            {
                var endpoint = await bus.GetSendEndpoint(QueueNames.AddressOf(bell));
                await endpoint.Send(bell, bell.GetType(), limit.Token);
            }));
            return true;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            logger.LogWarning("{Count} bells could not be rung ({Reason}); their rows are found by the next sweep.", bells.Count,
                e.Message);
            return false;
        }
    }
}
