using System.Text.Json;
using RabbitMQ.Client;

namespace LlmQueue.Bench.Throughput;

/// <summary>A producer without .NET's contracts: plain JSON to the exchange; each task is published by itself and confirmed once the broker has it on its disk.</summary>
internal sealed class Producer : IAsyncDisposable
{
    private const string Exchange = "LlmQueue.Contracts:LlmTask";
    private readonly IChannel _channel;

    private Producer(IChannel channel) => _channel = channel;

    public static async Task<Producer> Open(IConnection connection) => new(await connection.CreateChannelAsync(new CreateChannelOptions(true, true)));

    /// <param name="id">The task.</param>
    /// <param name="prompt">Its prompt.</param>
    /// <param name="model">The one that alone may answer; null is routed.</param>
    public Task Publish(Guid id, string prompt, string? model = null)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(new { id, prompt, kind = "summarization", complexity = "low", maxOutputTokens = Prompts.MaxOutputTokens, model });
        return _channel.BasicPublishAsync(Exchange, "", mandatory: true, new BasicProperties { Persistent = true, ContentType = "application/json" }, body).AsTask();
    }

    public ValueTask DisposeAsync() => _channel.DisposeAsync();
}
