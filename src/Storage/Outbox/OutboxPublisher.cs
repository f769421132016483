using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Storage.Loops;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Storage.Outbox;

/// <summary>
/// The publisher of the transactional outbox: events are rows of the transaction that made them true; they are published after the commit
/// and their rows deleted. No message waits for it: the row stays until the broker has confirmed the event, and what a dead process left
/// behind is published by <see cref="PublishLeftBehind"/>.
/// </summary>
public sealed class OutboxPublisher : BackgroundService
{
    private const int MaxBatch = 256;
    private static readonly TimeSpan LeftBehindAfter = TimeSpan.FromSeconds(20);
    private static readonly IReadOnlyDictionary<string, Type> Types = typeof(LlmTask).Assembly.GetTypes()
        .Where(t => t is { IsPublic: true, Namespace: "LlmQueue.Contracts" }).ToDictionary(t => t.Name, StringComparer.Ordinal);

    private readonly NpgsqlDataSource _database;
    private readonly IDbContextFactory<QueueDb> _contexts;
    private readonly IServiceProvider _services;
    private readonly TimeProvider _clock;
    private readonly ILogger<OutboxPublisher> _logger;
    private readonly GroupLoop<OutboxMessage> _loop;

    public OutboxPublisher(
        NpgsqlDataSource database, IDbContextFactory<QueueDb> contexts, IServiceProvider services, TimeProvider clock,
        ILogger<OutboxPublisher> logger)
    {
        (_database, _contexts, _services, _clock, _logger) = (database, contexts, services, clock, logger);
        // What could not be published, or was not when it stopped, has its row: it needs no end here.
        _loop = new GroupLoop<OutboxMessage>(new GroupHandling<OutboxMessage> { MaxGroup = MaxBatch, Handle = TryPublish }, clock, logger);
    }

    public void Publish(IEnumerable<OutboxMessage> messages)
    {
        foreach (var message in messages)
            _loop.TryAdd(message);
    }

    /// <summary>Publishes events whose process died, or could not reach the broker, after they were committed.</summary>
    public async Task<int> PublishLeftBehind(CancellationToken cancellationToken)
    {
        var before = _clock.GetUtcNow().UtcDateTime - LeftBehindAfter;
        await using var db = await _contexts.CreateDbContextAsync(cancellationToken);
        var rows = await db.OutboxMessages.AsNoTracking().Where(a => a.At < before).OrderBy(a => a.At).Take(MaxBatch)
            .ToListAsync(cancellationToken);
        return rows.Count > 0 && await TryPublish([.. rows.Select(r => new OutboxMessage(r.Id, Read(r), r.At))], cancellationToken)
            ? rows.Count
            : 0;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => _loop.Run(stoppingToken);

    private async Task<bool> TryPublish(List<OutboxMessage> batch, CancellationToken cancellationToken)
    {
        try
        {
            await Publish(batch, cancellationToken);
            return true;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            _logger.LogWarning("{Count} events could not be published now ({Reason}); their rows stay and are published later.",
                batch.Count, e.Message);
            return false;
        }
    }

    private async Task Publish(IReadOnlyList<OutboxMessage> batch, CancellationToken cancellationToken)
    {
        var bus = (IBus)_services.GetService(typeof(IBus))!;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(LeftBehindAfter);
        await Task.WhenAll(batch.Select(
            a => bus.Publish(a.Message, a.Message.GetType(), Pipe.Execute<PublishContext>(c => c.MessageId = a.Id), limit.Token)));
        await using var connection = await _database.OpenConnectionAsync(cancellationToken);
        await using var delete = new NpgsqlBatch(connection);
        // A deletion lost in a crash means an event published twice, which every subscriber must bear anyway: it need
        // not wait for the disk.
        delete.BatchCommands.Add(new NpgsqlBatchCommand("set synchronous_commit to off"));
        delete.BatchCommands.Add(new NpgsqlBatchCommand("delete from announcements where id = any($1)")
        {
            Parameters = { new NpgsqlParameter<Guid[]> { TypedValue = [.. batch.Select(a => a.Id)] } },
        });
        delete.BatchCommands.Add(new NpgsqlBatchCommand("set synchronous_commit to on"));
        await delete.ExecuteNonQueryAsync(cancellationToken);
    }

    private static object Read(OutboxRow row) =>
        Types.TryGetValue(row.Type, out var type)
            ? JsonSerializer.Deserialize(row.Body, type, StoredJson.Options)
                ?? throw new InvalidDataException($"Outbox row {row.Id} is empty.")
            : throw new InvalidDataException($"Outbox row {row.Id} is of the unknown type '{row.Type}'; a newer program wrote it.");
}
