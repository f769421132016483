using System.Collections.Concurrent;
using System.Text.Json;
using System.Threading.Channels;
using LlmQueue.Contracts;
using LlmQueue.Tests.Api;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace LlmQueue.Tests.Chaos;

/// <summary>
/// Hears every LlmTaskCompleted through a durable queue of its own, across restarts of the broker; an event that comes twice is kept twice.
/// </summary>
internal sealed class Subscriber : IAsyncDisposable
{
    private const string Queue = "chaos-events";

    private readonly string broker;
    private readonly CancellationTokenSource ending = new();
    private readonly ConcurrentQueue<LlmTaskCompleted> heard = new();
    private readonly ConcurrentDictionary<Guid, bool> tasks = new();
    private readonly Channel<int> counts = Channel.CreateUnbounded<int>();
    private Task hearing = Task.CompletedTask;

    private Subscriber(string broker) => this.broker = broker;

    public IReadOnlyCollection<LlmTaskCompleted> Heard => heard;

    public int Tasks => tasks.Count;

    public static async Task<Subscriber> Start(string broker, CancellationToken cancellationToken)
    {
        var subscriber = new Subscriber(broker);
        var ready = new TaskCompletionSource();
        subscriber.hearing = subscriber.Hear(ready);
        await ready.Task.WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System, cancellationToken);
        return subscriber;
    }

    /// <summary>Returns when so many tasks are known to be completed.</summary>
    public async Task Completions(int count, TimeSpan within, CancellationToken cancellationToken)
    {
        using var ceiling = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        ceiling.CancelAfter(within);
        while (Tasks < count)
        {
            await counts.Reader.ReadAsync(ceiling.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        await hearing;
        ending.Dispose();
    }

    private async Task Hear(TaskCompletionSource ready)
    {
        using var rhythm = new PeriodicTimer(TimeSpan.FromMilliseconds(200), TimeProvider.System);
        while (!ending.IsCancellationRequested)
        {
            try
            {
                await HearUntilLost(ready);
            }
            catch (Exception away) when (Rabbit.IsAway(away))
            {
                if (!ending.IsCancellationRequested)
                {
                    await rhythm.WaitForNextTickAsync(CancellationToken.None);
                }
            }
        }
    }

    private async Task HearUntilLost(TaskCompletionSource ready)
    {
        await using var connection = await Rabbit.Connect(broker, ending.Token);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: ending.Token);
        await Rabbit.DeclareExchange(channel, nameof(LlmTaskCompleted), ending.Token);
        var arguments = new Dictionary<string, object?>(StringComparer.Ordinal) { ["x-queue-type"] = "quorum" };
        await channel.QueueDeclareAsync(Queue, durable: true, exclusive: false, autoDelete: false, arguments,
            cancellationToken: ending.Token);
        await channel.QueueBindAsync(Queue, Rabbit.ExchangeOf(nameof(LlmTaskCompleted)), "", cancellationToken: ending.Token);

        var lost = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        connection.ConnectionShutdownAsync += (_, _) =>
        {
            lost.TrySetResult();
            return Task.CompletedTask;
        };
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += async (_, delivery) =>
        {
            Keep(delivery.Body);
            await channel.BasicAckAsync(delivery.DeliveryTag, multiple: false, ending.Token);
        };
        await channel.BasicConsumeAsync(Queue, autoAck: false, consumer, ending.Token);
        ready.TrySetResult();
        await lost.Task.WaitAsync(ending.Token);
    }

    private void Keep(ReadOnlyMemory<byte> body)
    {
        using var envelope = JsonDocument.Parse(body);
        var completed = envelope.RootElement.GetProperty("message").Deserialize<LlmTaskCompleted>(JsonSerializerOptions.Web)!;
        heard.Enqueue(completed);
        tasks.TryAdd(completed.TaskId, true);
        counts.Writer.TryWrite(tasks.Count);
    }
}
