using System.Collections.Concurrent;
using System.Diagnostics;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace LlmQueue.Bench.Drain;

/// <summary>What the queue tells the world while it drains, counted by name.</summary>
internal sealed class Events : IAsyncDisposable
{
    private static readonly string[] Names = ["LlmTaskCompleted", "LlmTaskDeferred", "LlmTaskDowngraded", "LlmTaskFailed", "LlmTaskRejected"];
    private readonly ConcurrentDictionary<string, int> _counts = new(StringComparer.Ordinal);
    private readonly IChannel _channel;
    private TaskCompletionSource<long> _ended = new();
    private int _expected = int.MaxValue;

    private Events(IChannel channel) => _channel = channel;

    public IReadOnlyDictionary<string, int> Counts => _counts;

    public Promises Promises { get; } = new();

    public static async Task<Events> Listen(IConnection connection)
    {
        var events = new Events(await connection.CreateChannelAsync());
        var queue = (await events._channel.QueueDeclareAsync()).QueueName;
        foreach (var name in Names)
        {
            // As the queue's own bus declares it, whichever comes first.
            await events._channel.ExchangeDeclareAsync($"LlmQueue.Contracts:{name}", ExchangeType.Fanout, durable: true);
            await events._channel.QueueBindAsync(queue, $"LlmQueue.Contracts:{name}", "");
        }

        var consumer = new AsyncEventingBasicConsumer(events._channel);
        consumer.ReceivedAsync += (_, delivery) =>
        {
            var name = delivery.Exchange[(delivery.Exchange.IndexOf(':') + 1)..];
            if (name == "LlmTaskDeferred")
                events.Promises.Hear(delivery.Body);
            events.Count(name);
            return Task.CompletedTask;
        };
        await events._channel.BasicConsumeAsync(queue, autoAck: true, consumer);
        return events;
    }

    /// <summary>Begins to count again; the task ends with the time stamp at which so many tasks had ended.</summary>
    public Task<long> Expect(int tasks)
    {
        _counts.Clear();
        Promises.Clear();
        _ended = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _expected, tasks);
        return _ended.Task;
    }

    public ValueTask DisposeAsync() => _channel.DisposeAsync();

    private void Count(string name)
    {
        _counts.AddOrUpdate(name, 1, static (_, count) => count + 1);
        if (_counts.GetValueOrDefault("LlmTaskCompleted") + _counts.GetValueOrDefault("LlmTaskFailed") + _counts.GetValueOrDefault("LlmTaskRejected") >= Volatile.Read(ref _expected))
            _ended.TrySetResult(Stopwatch.GetTimestamp());
    }
}
