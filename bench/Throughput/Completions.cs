using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace LlmQueue.Bench.Throughput;

/// <summary>Hears of every task that is completed, as whoever waits for answers would.</summary>
internal sealed class Completions : IAsyncDisposable
{
    private const string Exchange = "LlmQueue.Contracts:LlmTaskCompleted";
    private static readonly byte[] TaskId = Encoding.UTF8.GetBytes("\"taskId\":");
    private readonly IChannel _channel;
    private TaskCompletionSource<long> _ended = new();
    private bool _keepTimes;
    private int _left;

    private Completions(IChannel channel) => _channel = channel;

    /// <summary>When each task's completion arrived.</summary>
    public ConcurrentDictionary<Guid, long> Times { get; } = new();

    public static async Task<Completions> Listen(IConnection connection)
    {
        var heard = new Completions(await connection.CreateChannelAsync());
        var queue = (await heard._channel.QueueDeclareAsync()).QueueName;
        // As the queue's own bus declares it, whichever comes first.
        await heard._channel.ExchangeDeclareAsync(Exchange, ExchangeType.Fanout, durable: true);
        await heard._channel.QueueBindAsync(queue, Exchange, "");
        var consumer = new AsyncEventingBasicConsumer(heard._channel);
        consumer.ReceivedAsync += (_, delivery) =>
        {
            heard.Hear(delivery.Body.Span);
            return Task.CompletedTask;
        };
        await heard._channel.BasicConsumeAsync(queue, autoAck: true, consumer);
        return heard;
    }

    /// <summary>The task ends with the time stamp at which so many tasks had been completed.</summary>
    public Task<long> Expect(int tasks, bool keepTimes = false)
    {
        Times.Clear();
        _keepTimes = keepTimes;
        _ended = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _left, tasks);
        return _ended.Task;
    }

    public ValueTask DisposeAsync() => _channel.DisposeAsync();

    private void Hear(ReadOnlySpan<byte> body)
    {
        var now = Stopwatch.GetTimestamp();
        if (_keepTimes)
        {
            var after = body[(body.IndexOf(TaskId) + TaskId.Length)..];
            after = after[(after.IndexOf((byte)'"') + 1)..];
            Times[Guid.Parse(Encoding.UTF8.GetString(after[..36]))] = now;
        }

        if (Interlocked.Decrement(ref _left) == 0)
            _ended.TrySetResult(now);
    }
}
