using LlmQueue.Tests.Harness;
using MassTransit;
using MassTransit.Middleware;
using RabbitMQ.Client.Exceptions;

namespace LlmQueue.Tests.Messaging;

public sealed class ReconnectTests
{
    private static readonly TimeSpan Wait = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ConnectedAgain = TimeSpan.FromSeconds(10);

    private static readonly Exception Refused =
        new RabbitMqConnectionException("Broker unreachable",
            new BrokerUnreachableException(new AuthenticationFailureException("refused")));

    private static CancellationToken CancellationToken => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_wait_for_a_broker_is_equally_short()
    {
        await using var bus = new BusUnderTest("amqp://guest:guest@127.0.0.1:1/none");

        Assert.All(Waits(bus.Configuration.ReceiveTransportRetryPolicy, Refused, 50), wait => Assert.Equal(Wait, wait));
        var away = new RabbitMqConnectionException("Broker unreachable");
        Assert.All(Waits(bus.Configuration.SendTransportRetryPolicy, away, 50), wait => Assert.Equal(Wait, wait));
    }

    [Fact]
    public async Task Only_receiving_tries_again_what_a_caller_must_be_told()
    {
        await using var bus = new BusUnderTest("amqp://guest:guest@127.0.0.1:1/none");

        Assert.True(bus.Configuration.ReceiveTransportRetryPolicy.IsHandled(Refused));
        Assert.False(bus.Configuration.SendTransportRetryPolicy.IsHandled(Refused));
        Assert.False(bus.Configuration.SendTransportRetryPolicy.IsHandled(new InvalidOperationException("of the sender's own")));
    }

    /// <summary>Five tries have failed: MassTransit's own waits would have grown to nearly half a minute by then.</summary>
    [Fact]
    public async Task Receives_and_sends_soon_after_a_long_absence_of_the_broker()
    {
        await using var server = await RabbitServer.StartNew();
        await using var bus = new BusUnderTest(await server.CreateVirtualHost());
        await bus.Start();
        await bus.Send(1, CancellationToken);
        Assert.Equal(1, await bus.Received(Soon));

        await server.Stop();
        for (var tries = 0; tries < 5; tries++)
        {
            await bus.Fault(Soon);
        }

        var sentWhileAway = bus.Send(2, CancellationToken);
        await server.Start();

        Assert.Equal(2, await bus.Received(ConnectedAgain));
        await sentWhileAway;
    }

    [Fact]
    public async Task A_login_that_is_refused_for_a_while_does_not_end_receiving()
    {
        await using var server = await RabbitServer.StartNew();
        var virtualHost = await server.CreateVirtualHost();
        await using var bus = new BusUnderTest(await server.SetUser(virtualHost, "worker", "first"));
        await bus.Start();
        await bus.Send(1, CancellationToken);
        Assert.Equal(1, await bus.Received(Soon));

        await server.SetUser(virtualHost, "worker", "second");
        await server.Restart();
        while ((await bus.Fault(Soon)).GetBaseException() is not AuthenticationFailureException)
        {
            // The broker was away before it refused.
        }

        await server.SetUser(virtualHost, "worker", "first");
        await using var other = new BusUnderTest(virtualHost);
        await other.Send(2, CancellationToken);

        Assert.Equal(2, await bus.Received(ConnectedAgain));
    }

    private static List<TimeSpan?> Waits(IRetryPolicy policy, Exception fault, int tries)
    {
        using var first = policy.CreatePolicyContext(new Connecting());
        Assert.True(first.CanRetry(fault, out var retry));
        List<TimeSpan?> waits = [retry.Delay];
        while (waits.Count < tries)
        {
            Assert.True(retry.CanRetry(fault, out retry));
            waits.Add(retry.Delay);
        }

        return waits;
    }

    private sealed class Connecting() : BasePipeContext(CancellationToken.None);
}
