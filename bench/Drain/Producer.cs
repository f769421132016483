using System.Text.Json;
using RabbitMQ.Client;

namespace LlmQueue.Bench.Drain;

/// <summary>A producer without .NET's contracts: plain JSON to the exchange, every message confirmed by the broker.</summary>
internal static class Producer
{
    private const string Exchange = "LlmQueue.Contracts:LlmTask";

    // Confirms waited for at once: what a sensible producer does, and far from what the broker can take.
    private const int AtOnce = 64;

    /// <param name="connection">To the broker.</param>
    /// <param name="prompts">With the longest answer of each.</param>
    /// <param name="model">The one that alone may answer; null is routed.</param>
    public static async Task Publish(IConnection connection, IEnumerable<(string Prompt, int MaxOutputTokens)> prompts, string? model = null)
    {
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true));
        foreach (var some in prompts.Chunk(AtOnce))
        {
            var confirms = some.Select(one =>
            {
                var body = JsonSerializer.SerializeToUtf8Bytes(new { id = Guid.CreateVersion7(), prompt = one.Prompt, kind = "analysis", complexity = "medium", maxOutputTokens = one.MaxOutputTokens, model });
                return channel.BasicPublishAsync(Exchange, "", mandatory: true, new BasicProperties { Persistent = true, ContentType = "application/json" }, body).AsTask();
            }).ToList();
            await Task.WhenAll(confirms);
        }
    }
}
