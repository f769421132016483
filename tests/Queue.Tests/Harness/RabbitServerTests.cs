using RabbitMQ.Client;

namespace LlmQueue.Tests.Harness;

public sealed class RabbitServerTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task Gives_every_test_a_virtual_host_of_its_own()
    {
        var server = await SharedServers.Rabbit;
        var (one, other) = (await server.CreateVirtualHost(), await server.CreateVirtualHost());

        await Publish(one, "classic", "answer");

        await Eventually.True("the message is counted", Soon,
            async () => (await server.MessagesByQueue(one)).GetValueOrDefault("answer") == 1);
        Assert.Empty(await server.MessagesByQueue(other));
        await server.Purge(one, "answer");
        await Eventually.True("the message is gone", Soon, async () => (await server.MessagesByQueue(one))["answer"] == 0);
    }

    [Fact]
    public async Task Keeps_a_confirmed_message_across_a_restart_and_a_kill()
    {
        await using var server = await RabbitServer.StartNew();
        var address = await server.CreateVirtualHost();
        await Publish(address, "quorum", "in quorum");
        await Publish(address, "classic", "in classic");

        await server.Restart();
        await Publish(address, "quorum", "in quorum");

        await server.Kill();
        Assert.False(server.IsRunning);
        await server.Start();

        Assert.Equal(2, await Take(address, "in quorum"));
        Assert.Equal(1, await Take(address, "in classic"));
    }

    private static async Task Publish(string address, string type, string queue)
    {
        await using var connection = await new ConnectionFactory { Uri = new Uri(address) }.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true));
        var arguments = new Dictionary<string, object?>(StringComparer.Ordinal) { ["x-queue-type"] = type };
        await channel.QueueDeclareAsync(queue, durable: true, exclusive: false, autoDelete: false, arguments);
        // With confirms on, this returns once the broker has the message on disk.
        await channel.BasicPublishAsync("", queue, mandatory: true, new BasicProperties { Persistent = true }, new byte[] { 42 });
    }

    private static async Task<int> Take(string address, string queue)
    {
        await using var connection = await new ConnectionFactory { Uri = new Uri(address) }.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync();
        var taken = 0;
        await Eventually.True(
            "the queue gives its first message",
            Soon,
            async () => await channel.BasicGetAsync(queue, autoAck: true) is not null && ++taken > 0
        );
        while (await channel.BasicGetAsync(queue, autoAck: true) is not null)
        {
            taken++;
        }

        return taken;
    }
}
