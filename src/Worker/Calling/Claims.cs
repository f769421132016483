using System.Threading.Channels;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Leases;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Worker.Calling;

/// <summary>A claimed attempt and what its call needs.</summary>
public sealed record ClaimedCall(Guid TaskId, int Attempt, string State, string Model, string Bucket, string KeyAlias, int MaxOutputTokens, string Prompt, string? Chain, int Faults, DateTime AdmittedAt)
{
    /// <summary>The pack of small questions that it belongs to; null for a call of its own.</summary>
    public Guid? Pack { get; init; }

    /// <summary>What the call is for, when its task takes more than one.</summary>
    public string? Pass { get; init; }
}

/// <summary>
/// Claims attempts: of any number of CallProvider messages for one attempt, in any number of workers, exactly one makes the call.
/// The claim also reads the prompt, so that a call costs one statement before it is made; claims that arrive together share it.
/// </summary>
public sealed class Claims(NpgsqlDataSource database, WorkerIdentity identity, WorkerOptions options, TimeProvider clock, ILogger<Claims> logger) : BackgroundService
{
    private const int MaxGroup = 128;

    private const string Claimed = "a.task_id, a.number, t.state, a.model, a.bucket, a.key_alias, coalesce(t.pass_output_tokens, t.max_output_tokens), p.content, t.chain, t.faults, a.created_at, a.pack, t.pass";

    /// <summary>A worker that was cut off for longer than its lease and claims again says in the same breath that it lives: else it would lose the call that it has just begun to make.</summary>
    private const string Claim = $"""
        with alive as (update workers set seen_at = now() where id = $3 and seen_at < now() - $5)
        update attempts a set worker = $3, started_at = u.at
        from (select * from unnest($1::uuid[], $2::int[], $4::timestamptz[]) as x(task_id, number, at) order by task_id) u
        join tasks t on t.id = u.task_id and t.attempt = u.number and t.state in ({TaskStates.Called})
        join payloads p on p.subject_id = u.task_id and p.part = 'prompt' || coalesce('/' || nullif(t.pass, '{TaskPasses.Extraction}'), '')
        where a.task_id = u.task_id and a.number = u.number and (a.worker is null or (a.worker = $3 and a.started_at = u.at)) and a.ended_at is null
        returning {Claimed}
        """;

    private const string ClaimRest = $"""
        update attempts a set worker = $2, started_at = $3
        from tasks t join payloads p on p.subject_id = t.id and p.part = 'prompt' || coalesce('/' || t.pass, '')
        where a.pack = $1 and a.worker is null and a.ended_at is null and t.id = a.task_id and t.attempt = a.number and t.state = '{TaskStates.Classifying}'
        returning {Claimed}
        """;

    private readonly Channel<Waiting> _waiting = Channel.CreateUnbounded<Waiting>();

    /// <summary>Null when the attempt is old, taken or ended.</summary>
    /// <param name="taskId">The task.</param>
    /// <param name="attempt">The attempt.</param>
    /// <param name="claimedAt">The moment of a claim of this worker's that may stand already; null for a new one.</param>
    public Task<ClaimedCall?> Take(Guid taskId, int attempt, DateTime? claimedAt = null)
    {
        var waiting = new Waiting(taskId, attempt, claimedAt, new TaskCompletionSource<ClaimedCall?>(TaskCreationOptions.RunContinuationsAsynchronously));
        return _waiting.Writer.TryWrite(waiting) ? waiting.Call.Task : throw new OperationCanceledException("The worker is stopping.");
    }

    /// <summary>The questions that are to be asked along with this one; each is claimed like any other, so whichever of them rings first takes all.</summary>
    public async Task<IReadOnlyList<ClaimedCall>> TakeRest(ClaimedCall first)
    {
        if (first.Pack is not { } pack)
            return [];
        var rest = new List<ClaimedCall>();
        try
        {
            await using var command = new NpgsqlCommand(ClaimRest, await database.OpenConnectionAsync());
            await using var connection = command.Connection;
            command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = pack });
            command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = identity.Id });
            command.Parameters.Add(new NpgsqlParameter<DateTime> { TypedValue = clock.GetUtcNow().UtcDateTime });
            await using var reader = await command.ExecuteReaderAsync();
            while (await reader.ReadAsync())
                rest.Add(Read(reader));
        }
        catch (Exception e) when (DatabaseFaults.IsPassing(e))
        {
            // The first is asked alone; the Rescuer rings for the others, and the first of those takes the rest.
            logger.LogWarning("The rest of a pack cannot be claimed ({Reason}); it is asked later.", e.Message);
            return [];
        }

        return rest;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (await _waiting.Reader.WaitToReadAsync(stoppingToken))
            {
                var group = new Dictionary<Guid, Waiting>();
                while (group.Count < MaxGroup && _waiting.Reader.TryRead(out var one))
                    if (!group.TryAdd(one.TaskId, one))
                        one.Call.TrySetResult(null);
                await TakeGroup(group, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            logger.LogDebug("Claiming stops.");
        }
        finally
        {
            _waiting.Writer.TryComplete();
            while (_waiting.Reader.TryRead(out var one))
                one.Call.TrySetCanceled(CancellationToken.None);
        }
    }

    private async Task TakeGroup(Dictionary<Guid, Waiting> group, CancellationToken stopping)
    {
        using var stopped = stopping.Register(() =>
        {
            foreach (var one in group.Values)
                one.Call.TrySetCanceled(stopping);
        });
        // One moment for all tries of this group: a claim that was made but whose answer was lost with the connection is known again by it.
        var claimedAt = clock.GetUtcNow().UtcDateTime;
        for (var pause = TimeSpan.FromMilliseconds(50); ; pause = TimeSpan.FromMilliseconds(Math.Min(2000, pause.TotalMilliseconds * 2)))
        {
            try
            {
                if (await TryTake(group, claimedAt, stopping))
                    return;
                logger.LogInformation("{Count} attempts were claimed, but the database's word of it came late; they are claimed again by the moment they were.", group.Count);
            }
            catch (Exception e) when (DatabaseFaults.IsPassing(e))
            {
                logger.LogWarning("Attempts cannot be claimed ({Reason}); {Count} calls wait.", e.Message, group.Count);
                await Task.Delay(pause, clock, stopping);
            }
            catch (Exception e) when (e is not OperationCanceledException || !stopping.IsCancellationRequested)
            {
                foreach (var one in group.Values)
                    one.Call.TrySetException(e);
                return;
            }
        }
    }

    /// <returns>False when the answer came too late to be relied on.</returns>
    private async Task<bool> TryTake(Dictionary<Guid, Waiting> group, DateTime claimedAt, CancellationToken stopping)
    {
        var ids = group.Values.ToList();
        var asked = clock.GetTimestamp();
        await using var connection = await database.OpenConnectionAsync(stopping);
        await using var command = new NpgsqlCommand(Claim, connection)
        {
            Parameters =
            {
                new NpgsqlParameter<Guid[]> { TypedValue = [.. ids.Select(w => w.TaskId)] },
                new NpgsqlParameter<int[]> { TypedValue = [.. ids.Select(w => w.Attempt)] },
                new NpgsqlParameter<Guid> { TypedValue = identity.Id },
                new NpgsqlParameter<DateTime[]> { TypedValue = [.. ids.Select(w => w.ClaimedAt ?? claimedAt)] },
                new NpgsqlParameter<TimeSpan> { TypedValue = options.ClaimsHoldFor },
            },
        };
        var claimed = new Dictionary<Guid, ClaimedCall>();
        await using var reader = await command.ExecuteReaderAsync(stopping);
        while (await reader.ReadAsync(stopping))
            claimed[reader.GetGuid(0)] = Read(reader);
        if (clock.GetElapsedTime(asked) > options.ClaimsHoldFor)
            return false;
        foreach (var one in ids)
            one.Call.TrySetResult(claimed.GetValueOrDefault(one.TaskId));
        return true;
    }

    private static ClaimedCall Read(NpgsqlDataReader r) =>
        new(r.GetGuid(0), r.GetInt32(1), r.GetString(2), r.GetString(3), r.GetString(4), r.GetString(5), r.GetInt32(6), r.GetString(7), r.IsDBNull(8) ? null : r.GetString(8), r.GetInt32(9), r.GetDateTime(10))
        {
            Pack = r.IsDBNull(11) ? null : r.GetGuid(11),
            Pass = r.IsDBNull(12) ? null : r.GetString(12),
        };

    private sealed record Waiting(Guid TaskId, int Attempt, DateTime? ClaimedAt, TaskCompletionSource<ClaimedCall?> Call);
}
