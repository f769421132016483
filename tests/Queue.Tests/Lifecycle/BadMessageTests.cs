using System.Text;
using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;
using Microsoft.EntityFrameworkCore;
using RabbitMQ.Client;

namespace LlmQueue.Tests.Lifecycle;

/// <summary>What producers of any language may put on the broker: right, wrong, or not to be read at all.</summary>
public sealed class BadMessageTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private const string Exchange = "LlmQueue.Contracts:LlmTask";

    [Fact]
    public async Task What_cannot_be_read_goes_to_the_error_queue_with_the_reason_and_kills_nothing()
    {
        var simulator = await simulators.Fresh();
        var rabbit = await SharedServers.Rabbit;
        var virtualHost = await rabbit.CreateVirtualHost();
        await using var queue = await QueueUnderTest.Start(
            new QueueSetup { Catalogue = TestCatalogue.Of(new TestModel("first")), ProviderUrl = simulator.BaseUrl, Broker = virtualHost });
        await using var connection = await new ConnectionFactory { Uri = new Uri(virtualHost) }
            .CreateConnectionAsync(TestContext.Current.CancellationToken);
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true),
            TestContext.Current.CancellationToken);
        (string Body, string Reason)[] bad =
        [
            ("""{"prompt": "Why""", "The message is not JSON"),
            ("""[{"prompt": "Why?"}]""", "The message is a JSON Array, expected one JSON object"),
            ("\"Why?\"", "The message is a JSON String"),
            ("", "not JSON"),
            ("""{"kind": "code"}""", "neither 'prompt' nor 'messages'"),
            ("""{"prompt": "Why?", "maxOutputTokens": "many"}""", "maxOutputTokens"),
        ];

        foreach (var (body, _) in bad)
            await Publish(channel, body);
        await Eventually.True("all bad ones are in the error queue", TimeSpan.FromSeconds(30),
            async () => (await rabbit.MessagesByQueue(virtualHost)).GetValueOrDefault($"{QueueNames.Intake}_error") == bad.Length);

        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        while (await channel.BasicGetAsync($"{QueueNames.Intake}_error", autoAck: true, TestContext.Current.CancellationToken)
            is { } message)
            found[Encoding.UTF8.GetString(message.Body.Span)] = Header(message, "MT-Fault-Message");
        foreach (var (body, reason) in bad)
            Assert.Contains(reason, found[body], StringComparison.Ordinal);

        // Right ones behind them are answered: plain JSON with and without an id, and with values that are wrong, which is a
        // refusal and no fault.
        var id = Guid.CreateVersion7();
        await Publish(channel,
            $$"""{"id": "{{id}}", "prompt": "Why is the sky blue?", "kind": "analysis", "complexity": "low", "unheardOf": 1}""");
        await Publish(channel, $$"""{"id": "{{id}}", "prompt": "Why is the sky blue?", "kind": "analysis", "complexity": "low"}""");
        await Publish(channel, """{"prompt": "And without an id?", "kind": "analysis", "complexity": "low"}""");
        await Publish(channel, """{"prompt": "", "kind": "analysis"}""");
        await queue.InState(id, TaskStates.Completed);
        await Eventually.True("the one without an id is answered, and the empty one rejected", TimeSpan.FromSeconds(20),
            async () => await queue.Read(db => db.Tasks.CountAsync(t => t.EndedAt != null)) == 3);
        Assert.Equal(2, (await simulator.Log()).Count);
        Assert.Null(await channel.BasicGetAsync($"{QueueNames.Intake}_error", autoAck: true, TestContext.Current.CancellationToken));
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task A_queue_without_envelope_or_headers_is_read_as_what_it_is_for()
    {
        var simulator = await simulators.Fresh();
        var virtualHost = await (await SharedServers.Rabbit).CreateVirtualHost();
        await using var queue = await QueueUnderTest.Start(
            new QueueSetup { Catalogue = TestCatalogue.Of(new TestModel("first")), ProviderUrl = simulator.BaseUrl, Broker = virtualHost });
        await using var connection = await new ConnectionFactory { Uri = new Uri(virtualHost) }
            .CreateConnectionAsync(TestContext.Current.CancellationToken);
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true),
            TestContext.Current.CancellationToken);
        var (taskId, summaryId) = (Guid.CreateVersion7(), Guid.CreateVersion7());

        // Straight into the queues, without content type.
        await channel.BasicPublishAsync("", QueueNames.Intake,
            Encoding.UTF8.GetBytes($$"""{"id":"{{taskId}}","prompt":"Why?","kind":"code","complexity":"low"}"""),
            TestContext.Current.CancellationToken);
        await channel.BasicPublishAsync("", QueueNames.SummaryIntake,
            Encoding.UTF8.GetBytes($$"""{"id":"{{summaryId}}","pages":[{"title":"One","text":"A page about queues."}]}"""),
            TestContext.Current.CancellationToken);

        await queue.InState(taskId, TaskStates.Completed);
        Assert.Equal((summaryId, "Completed"),
            ((await queue.Event<PagesSummarized>(_ => true)).SummaryId, queue.Events<PagesSummarized>()[0].State));
    }

    private static async Task Publish(IChannel channel, string body) =>
        await channel.BasicPublishAsync(Exchange, "", mandatory: true,
            new BasicProperties { ContentType = "application/json", Persistent = true }, Encoding.UTF8.GetBytes(body),
            TestContext.Current.CancellationToken);

    private static string Header(BasicGetResult message, string name) =>
        message.BasicProperties.Headers?.TryGetValue(name, out var value) == true && value is byte[] bytes
            ? Encoding.UTF8.GetString(bytes)
            : "(no such header)";
}
