using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
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

    /// <summary>A second's events of a fast installation; what comes beyond is published from its rows.</summary>
    private const int MaxInMemory = 4_096;

    /// <summary>About a minute of sweeps: longer than a rolling upgrade keeps old and new workers side by side is not meant.</summary>
    private const int MostTries = 8;
    private static readonly TimeSpan LeftBehindAfter = TimeSpan.FromSeconds(20);
    private static readonly IReadOnlyDictionary<string, Type> Types = typeof(LlmTask).Assembly.GetTypes()
        .Where(t => t is { IsPublic: true, Namespace: "LlmQueue.Contracts" }).ToDictionary(t => t.Name, StringComparer.Ordinal);

    private readonly NpgsqlDataSource _database;
    private readonly IDbContextFactory<QueueDb> _contexts;
    private readonly IServiceProvider _services;
    private readonly TimeProvider _clock;
    private readonly ILogger<OutboxPublisher> _logger;
    private readonly GroupLoop<OutboxMessage> _loop;
    private readonly ConcurrentDictionary<string, bool> _unknownTypes = new(StringComparer.Ordinal);
    private int _inMemory;

    public OutboxPublisher(
        NpgsqlDataSource database, IDbContextFactory<QueueDb> contexts, IServiceProvider services, TimeProvider clock,
        ILogger<OutboxPublisher> logger)
    {
        (_database, _contexts, _services, _clock, _logger) = (database, contexts, services, clock, logger);
        // What could not be published, or was not when it stopped, has its row: it needs no end here.
        _loop = new GroupLoop<OutboxMessage>(
            new GroupHandling<OutboxMessage> { MaxGroup = MaxBatch, Handle = PublishFresh }, clock, logger);
    }

    /// <summary>
    /// Events that were just committed. Beyond what is worth keeping in memory they are left to their rows: a broker that takes nothing for
    /// an hour must not fill this process.
    /// </summary>
    public void Publish(IEnumerable<OutboxMessage> messages)
    {
        foreach (var message in messages)
            if (Interlocked.Increment(ref _inMemory) > MaxInMemory || !_loop.TryAdd(message))
                Interlocked.Decrement(ref _inMemory);
    }

    /// <summary>
    /// Publishes events whose process died, or could not reach the broker, after they were committed. Each stands for itself: one that the
    /// broker refuses, or that cannot be read, holds up none of the others and is kept aside after some tries; one of a type that only a
    /// newer program knows waits for that.
    /// </summary>
    /// <returns>How many were published.</returns>
    public async Task<int> PublishLeftBehind(CancellationToken cancellationToken)
    {
        var before = _clock.GetUtcNow().UtcDateTime - LeftBehindAfter;
        await using var db = await _contexts.CreateDbContextAsync(cancellationToken);
        var known = Types.Keys.ToArray();
        var rows = await db.OutboxMessages.AsNoTracking().Where(a => a.At < before && a.ParkedReason == null)
            .OrderBy(a => known.Contains(a.Type) ? 0 : 1).ThenBy(a => a.Tries).ThenBy(a => a.At).Take(MaxBatch)
            .ToListAsync(cancellationToken);
        var (messages, unreadable) = (new List<OutboxMessage>(), new List<FailedEvent>());
        foreach (var row in rows)
        {
            if (!Types.ContainsKey(row.Type))
                LeaveToANewerProgram(row);
            else if (TryRead(row, out var message, out var why))
                messages.Add(new OutboxMessage(row.Id, message, row.At));
            else
                unreadable.Add(new FailedEvent(row.Id, row.Type, why));
        }

        await NoteFailures(unreadable, cancellationToken);
        return messages.Count > 0 ? await PublishEach(messages, cancellationToken) : 0;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => _loop.Run(stoppingToken);

    private async Task PublishFresh(List<OutboxMessage> batch, CancellationToken cancellationToken)
    {
        Interlocked.Add(ref _inMemory, -batch.Count);
        try
        {
            await PublishEach(batch, cancellationToken);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            _logger.LogWarning("Of {Count} events it cannot be noted now which were published ({Reason}); their rows stay, and the sweep "
                + "publishes them again.", batch.Count, e.Message);
        }
    }

    private async Task<int> PublishEach(IReadOnlyList<OutboxMessage> batch, CancellationToken cancellationToken)
    {
        // A process that only writes rows has no bus; whoever has one publishes them.
        if (_services.GetService(typeof(IBus)) is not IBus bus)
            return 0;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(LeftBehindAfter);
        var failures = await Task.WhenAll(batch.Select(message => TryPublish(bus, message, limit.Token)));
        cancellationToken.ThrowIfCancellationRequested();
        var published = batch.Where((_, i) => failures[i] is null).Select(message => message.Id).ToArray();
        var failed = failures.OfType<FailedEvent>().ToList();
        if (published.Length > 0)
            await Delete(published, cancellationToken);
        // Where the broker took none of them it may be away, and then no event is to blame.
        await NoteFailures(failed.FindAll(failure => !failure.MayBeTheBroker || published.Length > 0), cancellationToken);
        if (failed.Count > 0)
            _logger.LogWarning("{Failed} of {Count} events could not be published now ({Reason}); their rows stay and are published later.",
                failed.Count, batch.Count, failed[0].Reason);
        return published.Length;
    }

    private static async Task<FailedEvent?> TryPublish(IBus bus, OutboxMessage message, CancellationToken cancellationToken)
    {
        try
        {
            var sent = EventSizeRule.Fitted(message.Message);
            await bus.Publish(sent, sent.GetType(), Pipe.Execute<PublishContext>(c => c.MessageId = message.Id), cancellationToken);
            return null;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return new FailedEvent(message.Id, message.Message.GetType().Name, e.Message)
            {
                MayBeTheBroker = e is OperationCanceledException or MassTransitException or IOException,
            };
        }
    }

    private async Task Delete(Guid[] published, CancellationToken cancellationToken)
    {
        await using var connection = await _database.OpenConnectionAsync(cancellationToken);
        await using var delete = new NpgsqlBatch(connection);
        // A deletion lost in a crash means an event published twice, which every subscriber must bear anyway: it need
        // not wait for the disk.
        delete.BatchCommands.Add(new NpgsqlBatchCommand("set synchronous_commit to off"));
        delete.BatchCommands.Add(new NpgsqlBatchCommand("delete from announcements where id = any($1)")
        {
            Parameters = { new NpgsqlParameter<Guid[]> { TypedValue = published } },
        });
        delete.BatchCommands.Add(new NpgsqlBatchCommand("set synchronous_commit to on"));
        await delete.ExecuteNonQueryAsync(cancellationToken);
    }

    private async Task NoteFailures(IReadOnlyList<FailedEvent> failed, CancellationToken cancellationToken)
    {
        if (failed.Count == 0)
            return;
        await using var command = _database.CreateCommand("""
            update announcements a set tries = a.tries + 1, parked_reason = case when a.tries + 1 >= $3 then u.reason end
            from unnest($1::uuid[], $2::text[]) as u(id, reason) where a.id = u.id returning a.id, a.type, a.parked_reason
            """);
        command.Parameters.Add(new NpgsqlParameter<Guid[]> { TypedValue = [.. failed.Select(f => f.Id)] });
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. failed.Select(f => f.Reason)] });
        command.Parameters.AddWithValue(MostTries);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            if (!reader.IsDBNull(2))
                _logger.LogError("The event {Id} of type {Type} could not be published {Tries} times and is kept aside: {Reason}. "
                    + "Clear parked_reason in its row of the table announcements to have it tried again.",
                    reader.GetGuid(0), reader.GetString(1), MostTries, reader.GetString(2));
    }

    /// <summary>
    /// In a rolling upgrade old and new workers share the table: what only the new ones know is theirs to publish, and is not counted here.
    /// </summary>
    private void LeaveToANewerProgram(OutboxRow row)
    {
        if (_unknownTypes.TryAdd(row.Type, true))
            _logger.LogWarning(
                "An event has the type '{Type}', which this program does not know: it waits for the newer program that wrote it.",
                row.Type);
    }

    private static bool TryRead(OutboxRow row, [NotNullWhen(true)] out object? message, out string why)
    {
        (message, why) = (null, "");
        try
        {
            message = JsonSerializer.Deserialize(row.Body, Types[row.Type], StoredJson.Options);
            why = "its body is empty";
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            why = $"its body cannot be read: {e.Message}";
        }

        return message is not null;
    }

    private sealed record FailedEvent(Guid Id, string Type, string Reason)
    {
        /// <summary>What is thrown as well where the broker does not answer, or is not there.</summary>
        public bool MayBeTheBroker { get; init; }
    }
}
