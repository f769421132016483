using System.Diagnostics;
using System.Globalization;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;
using MassTransit;
using RabbitMQ.Client;

namespace LlmQueue.Tests.Messaging;

/// <summary>A send returns when the broker has the message, and not without that.</summary>
public sealed class ConfirmTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);

    private static CancellationToken CancellationToken => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_send_that_the_broker_refuses_does_not_return()
    {
        var virtualHost = await (await SharedServers.Rabbit).CreateVirtualHost();
        await Declare(virtualHost, "full", new() { ["x-max-length"] = 1, ["x-overflow"] = "reject-publish" });
        await using var bus = new BusUnderTest(virtualHost);
        await bus.Send(1, CancellationToken, "exchange:full");

        await AssertNotSent(bus, "exchange:full");

        Assert.Equal(1u, await Count(virtualHost, "full"));
    }

    [Fact]
    public async Task A_send_that_the_broker_does_not_answer_does_not_return()
    {
        await using var server = await RabbitServer.StartNew();
        await using var bus = new BusUnderTest(await server.CreateVirtualHost());
        await bus.Start();
        await bus.Send(1, CancellationToken);
        Assert.Equal(1, await bus.Received(Soon));

        await Signal(server, "STOP");
        try
        {
            await AssertNotSent(bus, $"exchange:{BusUnderTest.QueueName}");
        }
        finally
        {
            await Signal(server, "CONT");
        }

        await bus.Send(3, CancellationToken);
        Assert.NotEqual(1, await bus.Received(Soon));
    }

    private static async Task AssertNotSent(BusUnderTest bus, string to)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(CancellationToken);
        limit.CancelAfter(Limit);
        var failure = await Assert.ThrowsAnyAsync<Exception>(() => bus.Send(2, limit.Token, to));
        Assert.True(failure is OperationCanceledException or ConnectionException, failure.ToString());
    }

    // A queue behind a fanout exchange of its name, as MassTransit declares it for "exchange:name".
    private static async Task Declare(string virtualHost, string name, Dictionary<string, object?> arguments)
    {
        await using var connection = await new ConnectionFactory { Uri = new Uri(virtualHost) }.CreateConnectionAsync(CancellationToken);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: CancellationToken);
        await channel.QueueDeclareAsync(name, durable: true, exclusive: false, autoDelete: false, arguments,
            cancellationToken: CancellationToken);
        await channel.ExchangeDeclareAsync(name, ExchangeType.Fanout, durable: true, cancellationToken: CancellationToken);
        await channel.QueueBindAsync(name, name, "", cancellationToken: CancellationToken);
    }

    private static async Task<uint> Count(string virtualHost, string queue)
    {
        await using var connection = await new ConnectionFactory { Uri = new Uri(virtualHost) }.CreateConnectionAsync(CancellationToken);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: CancellationToken);
        return await channel.MessageCountAsync(queue, CancellationToken);
    }

    // The numbers of these two signals differ between systems, their names do not.
    private static async Task Signal(RabbitServer server, string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", server.ProcessId.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync(CancellationToken);
        Assert.Equal(0, kill.ExitCode);
    }
}
