using System.Collections.Concurrent;
using LlmQueue.Storage.Loops;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Worker.Classification;

/// <summary>
/// The cache of the small model's classifications, by prompt hash: in memory with eviction of the least recently used, and in one table
/// through which workers share. Only answers are kept, never failures. Nothing waits for the table: what is lost in a crash is asked again.
/// </summary>
public sealed class ClassificationCache(NpgsqlDataSource database, TimeProvider clock, ILogger<ClassificationCache> logger)
    : BackgroundService
{
    public const int Capacity = 20_000;

    /// <summary>After this a prompt is asked about again: models and instructions change.</summary>
    public static readonly TimeSpan KeptFor = TimeSpan.FromDays(7);

    private static readonly TimeSpan ShareEvery = TimeSpan.FromSeconds(5);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedListNode<Entry>> _byHash = new(StringComparer.Ordinal);
    private readonly LinkedList<Entry> _recent = new();
    private readonly ConcurrentQueue<Entry> _fresh = new();
    private DateTime _sharedUntil = DateTime.UnixEpoch + ShareEvery;
    private volatile bool _asked;

    public Classification? Find(string promptHash)
    {
        _asked = true;
        lock (_lock)
        {
            if (!_byHash.TryGetValue(promptHash, out var node))
                return null;
            _recent.Remove(node);
            _recent.AddFirst(node);
            return node.Value.Said with { By = Stages.Cache };
        }
    }

    public void Keep(string promptHash, Classification said, DateTime now)
    {
        var entry = new Entry(promptHash, said, now);
        Remember(entry);
        _fresh.Enqueue(entry);
    }

    public Task Load(CancellationToken cancellationToken) => Learn(clock.GetUtcNow().UtcDateTime - KeptFor, cancellationToken);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(ShareEvery, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
                await Share(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            await Share(CancellationToken.None);
        }
    }

    /// <summary>
    /// Adds what this worker was told to the table, and takes what the others were; a worker that was asked nothing
    /// leaves the database alone.
    /// </summary>
    public async Task Share(CancellationToken cancellationToken)
    {
        if (!_asked && _fresh.IsEmpty)
            return;
        _asked = false;
        var told = new List<Entry>();
        while (_fresh.TryDequeue(out var entry))
            told.Add(entry);
        try
        {
            if (told.Count > 0)
                await Write([.. told.DistinctBy(e => e.Hash)], cancellationToken);
            await Learn(_sharedUntil - ShareEvery, cancellationToken);
        }
        catch (Exception e) when (DatabaseFaults.IsPassing(e) || e is ObjectDisposedException)
        {
            told.ForEach(_fresh.Enqueue);
            logger.LogDebug("What the small model said is shared later: {Reason}", e.Message);
        }
    }

    private async Task Write(IReadOnlyList<Entry> told, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("""
            insert into classifications (prompt_hash, kind, complexity, confidence, needs_context, category, alternative, at)
            select c.h, c.k, c.x, c.s, c.n, c.g, c.o, c.t
            from unnest($1::text[], $2::text[], $3::text[], $4::double precision[], $5::boolean[], $6::text[], $7::text[], $8::timestamptz[]) as c(h, k, x, s, n, g, o, t) order by c.h
            on conflict (prompt_hash) do update set kind = excluded.kind, complexity = excluded.complexity, confidence = excluded.confidence, needs_context = excluded.needs_context,
                category = excluded.category, alternative = excluded.alternative, at = excluded.at
            """);
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. told.Select(e => e.Hash)] });
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. told.Select(e => e.Said.Kind)] });
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. told.Select(e => e.Said.Complexity)] });
        command.Parameters.Add(new NpgsqlParameter<double[]> { TypedValue = [.. told.Select(e => e.Said.Confidence)] });
        command.Parameters.Add(new NpgsqlParameter<bool?[]> { TypedValue = [.. told.Select(e => e.Said.RequiresContext)] });
        command.Parameters.Add(new NpgsqlParameter<string?[]> { TypedValue = [.. told.Select(e => e.Said.Category)] });
        command.Parameters.Add(new NpgsqlParameter<string?[]> { TypedValue = [.. told.Select(e => e.Said.AlsoLikely.FirstOrDefault())] });
        command.Parameters.Add(new NpgsqlParameter<DateTime[]> { TypedValue = [.. told.Select(e => e.At)] });
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private async Task Learn(DateTime since, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand($"""
            select c.prompt_hash, c.kind, c.complexity, c.confidence, c.needs_context, c.category, c.alternative, c.at from (
                select prompt_hash, kind, complexity, confidence, needs_context, category, alternative, at from classifications
                where at > $1 order by at desc limit {Capacity}) c
            order by c.at
            """);
        command.Parameters.AddWithValue(since);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var said = new Classification(reader.GetString(1), reader.GetString(2), reader.GetDouble(3), Stages.Model)
            {
                RequiresContext = reader.IsDBNull(4) ? null : reader.GetBoolean(4),
                Category = reader.IsDBNull(5) ? null : reader.GetString(5), AlsoLikely = reader.IsDBNull(6) ? [] : [reader.GetString(6)],
            };
            var entry = new Entry(reader.GetString(0), said, reader.GetDateTime(7));
            Remember(entry);
            _sharedUntil = entry.At > _sharedUntil ? entry.At : _sharedUntil;
        }
    }

    private void Remember(Entry entry)
    {
        lock (_lock)
        {
            if (_byHash.Remove(entry.Hash, out var old))
                _recent.Remove(old);
            _byHash[entry.Hash] = _recent.AddFirst(entry);
            if (_byHash.Count <= Capacity)
                return;
            _byHash.Remove(_recent.Last!.Value.Hash);
            _recent.RemoveLast();
        }
    }

    private sealed record Entry(string Hash, Classification Said, DateTime At);
}
