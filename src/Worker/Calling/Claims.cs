using LlmQueue.Catalogue;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Leases;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Worker.Calling;

/// <summary>A claimed attempt and what its call needs.</summary>
public sealed record ClaimedCall(
    Guid TaskId, int Attempt, string State, string Model, string Bucket, string KeyAlias, int MaxOutputTokens, string Prompt,
    ModelChain? Chain,
    int Faults, DateTime AdmittedAt)
{
    /// <summary>The lead of the reservation that it shares; null for a call of its own.</summary>
    public Guid? Lead { get; init; }

    /// <summary>What the call is for, when its task takes more than one.</summary>
    public string? Pass { get; init; }
}

/// <summary>
/// Claims attempts: of any number of CallProvider messages for one attempt, in any number of workers, exactly one makes the call.
/// The claim also reads the prompt, so that a call costs one statement before it is made; claims that arrive together share it.
/// </summary>
public sealed class Claims : BackgroundService
{
    private const string Claimed = "a.task_id, a.number, t.state, a.model, a.bucket, a.key_alias, coalesce(t.pass_output_tokens, "
        + "t.max_output_tokens), p.content, t.chain, t.faults, a.created_at, a.pack, t.pass";

    /// <summary>
    /// A worker that was cut off for longer than its lease and claims again says in the same breath that it lives: else it would lose the
    /// call that it has just begun to make.
    /// </summary>
    private const string Claim = $"""
        with alive as (update workers set seen_at = now() where id = $3 and seen_at < now() - $5)
        update attempts a set worker = $3, started_at = u.at
        from (select x.task_id, x.number, x.at from unnest($1::uuid[], $2::int[], $4::timestamptz[]) as x(task_id, number, at) order by x.task_id) u
        join tasks t on t.id = u.task_id and t.attempt = u.number and t.state in ({TaskStates.Called})
        join payloads p on p.subject_id = u.task_id and p.part = 'prompt' || coalesce('/' || nullif(t.pass, '{TaskPasses.Extraction}'), '')
        where a.task_id = u.task_id and a.number = u.number and (a.worker is null or (a.worker = $3 and a.started_at = u.at)) and a.ended_at is null
        returning {Claimed}
        """;

    private const string ClaimMembers = $"""
        update attempts a set worker = $2, started_at = $3
        from tasks t join payloads p on p.subject_id = t.id and p.part = 'prompt' || coalesce('/' || nullif(t.pass, '{TaskPasses.Extraction}'), '')
        where a.pack = $1 and a.worker is null and a.ended_at is null and t.id = a.task_id and t.attempt = a.number and t.state in ({TaskStates.Called})
        returning {Claimed}
        """;

    private readonly NpgsqlDataSource _database;
    private readonly WorkerIdentity _identity;
    private readonly WorkerOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger<Claims> _logger;
    private readonly GroupLoop<PendingClaim> _loop;

    public Claims(NpgsqlDataSource database, WorkerIdentity identity, WorkerOptions options, TimeProvider clock, ILogger<Claims> logger)
    {
        (_database, _identity, _options, _clock, _logger) = (database, identity, options, clock, logger);
        _loop = new GroupLoop<PendingClaim>(new GroupHandling<PendingClaim>
        {
            MaxGroup = 128, Handle = TakeGroup,
            Fail = (one, e) => one.Call.TrySetException(e), Cancel = one => one.Call.TrySetCanceled(CancellationToken.None),
            IsAway = (e, count) => logger.LogWarning("Attempts cannot be claimed ({Reason}); {Count} calls wait.", e.Message, count),
        }, clock, logger);
    }

    /// <summary>Null when the attempt is old, taken or ended.</summary>
    /// <param name="taskId">The task.</param>
    /// <param name="attempt">The attempt.</param>
    /// <param name="claimedAt">The moment of a claim of this worker's that may stand already; null for a new one.</param>
    public Task<ClaimedCall?> Take(Guid taskId, int attempt, DateTime? claimedAt = null)
    {
        var pending = new PendingClaim(taskId, attempt) { ClaimedAt = claimedAt };
        return _loop.TryAdd(pending) ? pending.Call.Task : throw new OperationCanceledException("The worker is stopping.");
    }

    /// <summary>
    /// Claims the others that share the reservation of a claimed call, to be answered by that call. Each is claimed like any other:
    /// whichever of them is taken first takes the rest.
    /// </summary>
    public async Task<IReadOnlyList<ClaimedCall>> TakeRest(ClaimedCall first)
    {
        if (first.Lead is not { } lead)
            return [];
        var rest = new List<ClaimedCall>();
        try
        {
            await using var command = new NpgsqlCommand(ClaimMembers, await _database.OpenConnectionAsync());
            await using var connection = command.Connection;
            command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = lead });
            command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = _identity.Id });
            command.Parameters.Add(new NpgsqlParameter<DateTime> { TypedValue = _clock.GetUtcNow().UtcDateTime });
            await using var reader = await command.ExecuteReaderAsync();
            while (await reader.ReadAsync())
                rest.Add(Read(reader));
        }
        catch (Exception e) when (DatabaseFaults.IsPassing(e))
        {
            // The first is called alone. The Rescuer finds the others, and the first of those takes the rest.
            _logger.LogWarning("The others that share a call cannot be claimed ({Reason}); they are called later.", e.Message);
            return [];
        }

        return rest;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => _loop.Run(stoppingToken);

    private async Task TakeGroup(List<PendingClaim> group, CancellationToken cancellationToken)
    {
        var byTask = new Dictionary<Guid, PendingClaim>();
        // One moment for all tries of a group: a claim that was made but whose answer was lost with the connection is known again by it.
        var now = _clock.GetUtcNow().UtcDateTime;
        foreach (var one in group)
        {
            one.ClaimedAt ??= now;
            // Of two claims of one task that meet here, the first is the one that may have the call.
            if (!byTask.TryAdd(one.TaskId, one))
                one.Call.TrySetResult(null);
        }

        while (!await TryTake([.. byTask.Values], cancellationToken))
            _logger.LogInformation(
                "{Count} attempts were claimed, but the database's answer came too late; they are claimed again by the same moment.",
                byTask.Count);
    }

    /// <returns>False when the answer came too late to be relied on.</returns>
    private async Task<bool> TryTake(List<PendingClaim> group, CancellationToken cancellationToken)
    {
        var asked = _clock.GetTimestamp();
        await using var connection = await _database.OpenConnectionAsync(cancellationToken);
        await using var command = new NpgsqlCommand(Claim, connection)
        {
            Parameters =
            {
                new NpgsqlParameter<Guid[]> { TypedValue = [.. group.Select(w => w.TaskId)] },
                new NpgsqlParameter<int[]> { TypedValue = [.. group.Select(w => w.Attempt)] },
                new NpgsqlParameter<Guid> { TypedValue = _identity.Id },
                new NpgsqlParameter<DateTime[]> { TypedValue = [.. group.Select(w => w.ClaimedAt!.Value)] },
                new NpgsqlParameter<TimeSpan> { TypedValue = _options.ClaimsHoldFor },
            },
        };
        var claimed = new Dictionary<Guid, ClaimedCall>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            claimed[reader.GetGuid(0)] = Read(reader);
        if (_clock.GetElapsedTime(asked) > _options.ClaimsHoldFor)
            return false;
        foreach (var one in group)
            one.Call.TrySetResult(claimed.GetValueOrDefault(one.TaskId));
        return true;
    }

    private static ClaimedCall Read(NpgsqlDataReader r) =>
        new(r.GetGuid(0), r.GetInt32(1), r.GetString(2), r.GetString(3), r.GetString(4), r.GetString(5), r.GetInt32(6), r.GetString(7),
            r.IsDBNull(8) ? null : ModelChain.Read(r.GetString(8)), r.GetInt32(9), r.GetDateTime(10))
        {
            Lead = r.IsDBNull(11) ? null : r.GetGuid(11),
            Pass = r.IsDBNull(12) ? null : r.GetString(12),
        };

    private sealed class PendingClaim(Guid taskId, int attempt)
    {
        public Guid TaskId => taskId;

        public int Attempt => attempt;

        /// <summary>The moment that the claim is known by; given when it is first tried.</summary>
        public DateTime? ClaimedAt { get; set; }

        public TaskCompletionSource<ClaimedCall?> Call { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
