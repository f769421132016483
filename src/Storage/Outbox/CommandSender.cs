using LlmQueue.Contracts;
using MassTransit;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Storage.Outbox;

/// <summary>
/// Sends commands after a commit, each to the queue that <see cref="QueueNames"/> gives it. A command that is lost is sent again by
/// redelivery or by the rescuer.
/// </summary>
public sealed class CommandSender(IServiceProvider services, ILogger<CommandSender> logger)
{
    private static readonly TimeSpan SendTimeout = TimeSpan.FromSeconds(5);

    /// <summary>Never fails: a command that cannot be sent now follows from its row, and the rescuer sends it.</summary>
    /// <returns>False when the broker did not take them all.</returns>
    public async Task<bool> Send(IReadOnlyCollection<object> commands, CancellationToken cancellationToken)
    {
        // A process that only writes rows has no bus; the workers find the rows.
        if (commands.Count == 0 || services.GetService(typeof(IBus)) is not IBus bus)
            return true;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(SendTimeout);
        try
        {
            await Task.WhenAll(commands.Select(async command =>
            {
                var endpoint = await bus.GetSendEndpoint(QueueNames.AddressOf(command));
                await endpoint.Send(command, command.GetType(), limit.Token);
            }));
            return true;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            logger.LogWarning("{Count} commands could not be sent ({Reason}); the next sweep finds their rows.", commands.Count,
                e.Message);
            return false;
        }
    }
}
