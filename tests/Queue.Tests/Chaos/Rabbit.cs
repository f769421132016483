using System.Net.Sockets;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace LlmQueue.Tests.Chaos;

/// <summary>
/// What producer and subscriber need of the broker's own client. Its recovery is off: they see every loss, and begin again themselves.
/// </summary>
internal static class Rabbit
{
    public static Task<IConnection> Connect(string broker, CancellationToken cancellationToken) =>
        new ConnectionFactory { Uri = new Uri(broker), AutomaticRecoveryEnabled = false }.CreateConnectionAsync(cancellationToken);

    public static string ExchangeOf(string message) => $"LlmQueue.Contracts:{message}";

    public static Task DeclareExchange(IChannel channel, string message, CancellationToken cancellationToken) =>
        channel.ExchangeDeclareAsync(ExchangeOf(message), ExchangeType.Fanout, durable: true, autoDelete: false,
            cancellationToken: cancellationToken);

    /// <summary>How many processes take messages from the queue; throws when it is not there yet.</summary>
    public static async Task<uint> Consumers(string broker, string queue, CancellationToken cancellationToken)
    {
        await using var connection = await Connect(broker, cancellationToken);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
        return (await channel.QueueDeclarePassiveAsync(queue, cancellationToken)).ConsumerCount;
    }

    /// <summary>
    /// The broker, or the connection to it, is gone; a message that no queue took is the same case, as its queue is not there yet.
    /// </summary>
    public static bool IsAway(Exception exception) =>
        exception is RabbitMQClientException or SocketException or IOException or ObjectDisposedException
            or OperationCanceledException or TimeoutException;
}
