using System.Collections.Concurrent;
using System.Text.Json;
using LlmQueue.Api.Wire;
using LlmQueue.Contracts;
using RabbitMQ.Client;

namespace LlmQueue.Tests.Chaos;

/// <summary>
/// A service without .NET or MassTransit, as far as the wire is concerned: plain JSON to the exchange of LlmTask. It gives every task an
/// id and publishes it again, across any number of connections, until the broker has confirmed it: from then on the task is the queue's.
/// </summary>
internal sealed class Producer(string broker, Shape shape)
{
    private static readonly TimeSpan Rhythm = TimeSpan.FromMilliseconds(200);
    private static readonly string[] Kinds = ["summarization", "analysis", "code"];

    private readonly ConcurrentDictionary<Guid, string> accepted = new();

    /// <summary>Confirmed by the broker: the prompt of each.</summary>
    public IReadOnlyDictionary<Guid, string> Accepted => accepted;

    public async Task Publish(CancellationToken cancellationToken)
    {
        var pending = new Queue<LlmTask>(Enumerable.Range(1, shape.Tasks).Select(NewTask));
        using var rhythm = new PeriodicTimer(Rhythm, TimeProvider.System);
        while (pending.Count > 0)
        {
            try
            {
                await using var connection = await Rabbit.Connect(broker, cancellationToken);
                await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true), cancellationToken);
                await Rabbit.DeclareExchange(channel, nameof(LlmTask), cancellationToken);
                while (pending.Count > 0)
                {
                    await PublishWave(channel, pending, cancellationToken);
                    await rhythm.WaitForNextTickAsync(cancellationToken);
                }
            }
            catch (Exception away) when (Rabbit.IsAway(away) && !cancellationToken.IsCancellationRequested)
            {
                await rhythm.WaitForNextTickAsync(cancellationToken);
            }
        }
    }

    /// <summary>One task of the caller's own; returns when the broker has it.</summary>
    public async Task Publish(LlmTask task, CancellationToken cancellationToken)
    {
        await using var connection = await Rabbit.Connect(broker, cancellationToken);
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true), cancellationToken);
        await Rabbit.DeclareExchange(channel, nameof(LlmTask), cancellationToken);
        await Confirmed(channel, task, cancellationToken);
    }

    private async Task PublishWave(IChannel channel, Queue<LlmTask> pending, CancellationToken cancellationToken)
    {
        var wave = pending.Take(shape.Wave).ToList();
        await Task.WhenAll(wave.Select(task => Confirmed(channel, task, cancellationToken)));
        foreach (var task in wave)
        {
            Assert.True(accepted.ContainsKey(pending.Dequeue().Id!.Value), $"{task.Id} is not confirmed.");
        }
    }

    // The call returns once the broker has the message in a queue and on disk, and throws if it has no queue for it.
    private async Task Confirmed(IChannel channel, LlmTask task, CancellationToken cancellationToken)
    {
        if (accepted.ContainsKey(task.Id!.Value))
        {
            return;
        }

        var properties = new BasicProperties { Persistent = true, ContentType = "application/json" };
        var body = JsonSerializer.SerializeToUtf8Bytes(task, JsonSerializerOptions.Web);
        await channel.BasicPublishAsync(Rabbit.ExchangeOf(nameof(LlmTask)), "", mandatory: true, properties, body, cancellationToken);
        accepted[task.Id.Value] = task.Prompt!;
    }

    // No two prompts are alike, so an answer names its question.
    private static LlmTask NewTask(int number) =>
        new()
        {
            Id = Guid.CreateVersion7(),
            Prompt = $"Question {number}: what would be left of the harbour if tide number {number} came {number % 7} hours late?",
            Kind = Kinds[number % Kinds.Length],
            Complexity = "medium",
            Priority = number % 10 == 0 ? "interactive" : null,
            Tenant = $"tenant-{number % 3}",
            MaxOutputTokens = 100,
        };
}
