using System.Threading.Channels;
using LlmQueue.Contracts;
using LlmQueue.Store.Telemetry;
using LlmQueue.Store.Webhooks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Store.Commits;

/// <summary>
/// Commits transitions in groups: a loop takes whatever is waiting and writes it in one transaction; nobody waits for a group to fill.
/// A group whose commit fails is split down to the one at fault; a database that is away is waited for.
/// </summary>
public sealed class GroupCommits(NpgsqlDataSource database, StoreTables tables, LimitViews views, Announcer announcer, LineBell lineBell, Thresholds thresholds, WebhookBell webhookBell, QueueMetrics metrics, TimeProvider clock, ILogger<GroupCommits> logger) : BackgroundService
{
    private const int MaxGroup = 128;
    private const int Loops = 2;
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    /// <summary>Small questions that could share a call wait this long for each other: a moment beside the call, and without it they would hardly ever meet.</summary>
    private static readonly TimeSpan QuestionsGather = TimeSpan.FromMilliseconds(10);

    private readonly Channel<IReadOnlyList<Pending>> _waiting = Channel.CreateUnbounded<IReadOnlyList<Pending>>();
    private readonly List<Pending> _questions = [];
    private bool _away;

    /// <summary>Returns when the transition is durable, or must be decided again.</summary>
    public Task<CommitOutcome> Commit(Transition transition, CancellationToken cancellationToken = default)
    {
        transition.Seal();
        var pending = new Pending(transition, new TaskCompletionSource<CommitOutcome>(TaskCreationOptions.RunContinuationsAsynchronously));
        if (transition.Packing is not null)
            Gather(pending);
        else if (!_waiting.Writer.TryWrite([pending]))
            throw new OperationCanceledException("The store is stopping.");
        return pending.Outcome.Task.WaitAsync(cancellationToken);
    }

    /// <summary>The first of some questions opens a pack; it goes when it is full or its moment is over, in one piece, so that one commit sees all of it.</summary>
    private void Gather(Pending question)
    {
        lock (_questions)
        {
            _questions.Add(question);
            if (_questions.Count >= Packing.Most)
                SendQuestions();
            else if (_questions.Count == 1)
                _ = SendQuestionsSoon();
        }
    }

    private async Task SendQuestionsSoon()
    {
        await Task.Delay(QuestionsGather, clock);
        lock (_questions)
            SendQuestions();
    }

    private void SendQuestions()
    {
        // A pack that was full has gone before its moment was over.
        if (_questions.Count == 0)
            return;
        IReadOnlyList<Pending> pack = [.. _questions];
        _questions.Clear();
        if (!_waiting.Writer.TryWrite(pack))
            foreach (var question in pack)
                question.Cancel();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(Enumerable.Range(0, Loops).Select(_ => Run(stoppingToken)));

    private async Task Run(CancellationToken stopping)
    {
        var next = new List<Pending>();
        try
        {
            while (next.Count > 0 || await _waiting.Reader.WaitToReadAsync(stopping))
            {
                var group = new List<Pending>();
                var subjects = new HashSet<Guid>();
                var late = new List<Pending>();
                foreach (var pending in next)
                    (subjects.Add(pending.Subject) ? group : late).Add(pending);
                while (group.Count < MaxGroup && _waiting.Reader.TryRead(out var ready))
                    foreach (var pending in ready)
                        // Two transitions of one row cannot share a transaction: the second stands back and will find a conflict.
                        (subjects.Add(pending.Subject) ? group : late).Add(pending);
                next = late;
                await CommitGroup(group, stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            logger.LogDebug("The store stops; what is not committed will be delivered again.");
        }
        finally
        {
            _waiting.Writer.TryComplete();
            foreach (var pending in next)
                pending.Cancel();
            while (_waiting.Reader.TryRead(out var left))
                foreach (var pending in left)
                    pending.Cancel();
        }
    }

    private async Task CommitGroup(List<Pending> group, CancellationToken stopping)
    {
        for (var pause = TimeSpan.FromMilliseconds(50); ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            try
            {
                await TryCommit(group, stopping);
                if (_away)
                    logger.LogInformation("The database answers again.");
                _away = false;
                return;
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                group.ForEach(p => p.Cancel());
                throw;
            }
            catch (Exception e) when (DatabaseFaults.IsPassing(e))
            {
                // Whether a commit that lost its connection took place is not known: it is tried again, and the row's version tells.
                if (!_away)
                    logger.LogWarning("The database does not take commits ({Reason}); {Count} transitions wait for it.", e.Message, group.Count);
                _away = true;
                await Task.Delay(pause, clock, stopping);
            }
            catch (Exception e) when (group.Count == 1)
            {
                group[0].Fail(e);
                return;
            }
            catch (Exception e)
            {
                logger.LogWarning(e, "A group of {Count} transitions did not commit; it is split to find the one at fault.", group.Count);
                await CommitGroup(group[..(group.Count / 2)], stopping);
                await CommitGroup(group[(group.Count / 2)..], stopping);
                return;
            }
        }
    }

    private async Task TryCommit(List<Pending> group, CancellationToken cancellationToken)
    {
        var members = group.Where(p => !p.Outcome.Task.IsCompleted).ToList();
        while (members.Count > 0)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            var transitions = members.ConvertAll(p => p.Transition);
            var ledger = new LimitLedger(tables, thresholds);
            await ledger.Lock(connection, transaction, transitions, cancellationToken);

            var noRoom = ledger.Apply(transitions);
            var without = members.Where(p => noRoom.Contains(p.Transition)).ToHashSet();
            var writing = members.Where(p => !without.Contains(p)).ToList();

            var alerts = ledger.Alerts(clock.GetUtcNow().UtcDateTime);
            var write = await Write(connection, transaction, writing, ledger, alerts, cancellationToken);
            if (write.Conflicts.Count > 0)
            {
                // The row of one had moved on: the others are written again without it.
                await transaction.RollbackAsync(cancellationToken);
                foreach (var conflict in write.Conflicts)
                {
                    metrics.Again(CommitOutcome.Conflict);
                    conflict.Settle(CommitOutcome.Conflict);
                }

                members = members.Where(p => !write.Conflicts.Contains(p)).ToList();
                continue;
            }

            await transaction.CommitAsync(cancellationToken);
            Committed(members, writing, without, ledger, write.SettledStages, alerts);
            return;
        }
    }

    private async Task<Written> Write(NpgsqlConnection connection, NpgsqlTransaction transaction, List<Pending> writing, LimitLedger ledger, IReadOnlyList<Announcement> alerts, CancellationToken cancellationToken)
    {
        if (writing.Count == 0)
            return new Written([], []);
        await using var batch = new NpgsqlBatch(connection, transaction);
        var checks = new List<(int Result, IReadOnlyDictionary<Guid, Pending> Expected)>();
        var results = 0;

        void Checked(NpgsqlBatchCommand command, IEnumerable<(Guid Id, Pending Pending)> expected)
        {
            batch.BatchCommands.Add(command);
            checks.Add((results++, expected.ToDictionary(e => e.Id, e => e.Pending)));
        }

        var newTasks = writing.Where(p => p.Transition is { Task: not null, TaskIsNew: true }).ToList();
        if (newTasks.Count > 0)
            Checked(tables.InsertTasks(newTasks.ConvertAll(p => p.Transition.Task!)), newTasks.Select(p => (p.Transition.Task!.CorrelationId, p)));
        var movedTasks = writing.Where(p => p.Transition is { Task: not null, TaskIsNew: false }).OrderBy(p => p.Subject).ToList();
        if (movedTasks.Count > 0)
            Checked(tables.UpdateTasks(movedTasks.ConvertAll(p => p.Transition.Task!)), movedTasks.Select(p => (p.Transition.Task!.CorrelationId, p)));
        var newSummaries = writing.Where(p => p.Transition is { Summary: not null, SummaryIsNew: true }).ToList();
        if (newSummaries.Count > 0)
            Checked(tables.InsertSummaries(newSummaries.ConvertAll(p => p.Transition.Summary!)), newSummaries.Select(p => (p.Transition.Summary!.CorrelationId, p)));
        var movedSummaries = writing.Where(p => p.Transition is { Summary: not null, SummaryIsNew: false }).ToList();
        if (movedSummaries.Count > 0)
            Checked(tables.UpdateSummaries(movedSummaries.ConvertAll(p => p.Transition.Summary!)), movedSummaries.Select(p => (p.Transition.Summary!.CorrelationId, p)));

        var endedFor = writing.Where(p => p.Transition.EndedForSummary is not null).GroupBy(p => p.Transition.EndedForSummary!.Value).ToList();
        if (endedFor.Count > 0)
            batch.BatchCommands.Add(new NpgsqlBatchCommand("""
                update summaries s set open_tasks = s.open_tasks - u.ended from (select * from unnest($1::uuid[], $2::int[]) as x(id, ended) order by id) u
                where s.id = u.id returning s.id, s.stage, s.open_tasks
                """)
            {
                Parameters =
                {
                    new NpgsqlParameter<Guid[]> { TypedValue = [.. endedFor.Select(g => g.Key)] },
                    new NpgsqlParameter<int[]> { TypedValue = [.. endedFor.Select(g => g.Count())] },
                },
            });

        AddIfAny(batch, writing.SelectMany(p => p.Transition.Born), tables.InsertTasks);
        AddIfAny(batch, writing.SelectMany(p => p.Transition.Opened), tables.InsertAttempts);
        AddIfAny(batch, writing.SelectMany(p => p.Transition.Ended), tables.EndAttempts);
        AddIfAny(batch, writing.SelectMany(p => p.Transition.History), tables.InsertHistory);
        AddIfAny(batch, writing.SelectMany(p => p.Transition.Payloads), tables.InsertPayloads);
        AddIfAny(batch, writing.SelectMany(p => p.Transition.Announcements).Concat(alerts).Select(a => a.ToRow()), tables.InsertAnnouncements);
        AddIfAny(batch, writing.SelectMany(p => p.Transition.Webhooks), tables.InsertWebhooks);
        AddIfAny(batch, writing.SelectMany(p => p.Transition.Cancellations), StoreTables.InsertCancellations);
        AddKeyUse(batch, writing);
        ledger.AddWrites(batch);

        var conflicts = new HashSet<Pending>();
        var stages = new List<StageSettled>();
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        foreach (var (_, expected) in checks)
        {
            var found = new HashSet<Guid>();
            while (await reader.ReadAsync(cancellationToken))
                found.Add(reader.GetGuid(0));
            conflicts.UnionWith(expected.Where(e => !found.Contains(e.Key)).Select(e => e.Value));
            await reader.NextResultAsync(cancellationToken);
        }

        if (endedFor.Count > 0)
        {
            while (await reader.ReadAsync(cancellationToken))
                if (reader.GetInt32(2) == 0)
                    stages.Add(new StageSettled(reader.GetGuid(0), reader.GetInt32(1)));
        }

        return new Written(conflicts, stages);
    }

    private static void AddIfAny<T>(NpgsqlBatch batch, IEnumerable<T> rows, Func<IReadOnlyList<T>, NpgsqlBatchCommand> command)
    {
        var list = rows.ToList();
        if (list.Count > 0)
            batch.BatchCommands.Add(command(list));
    }

    private static void AddKeyUse(NpgsqlBatch batch, List<Pending> writing)
    {
        var uses = writing.Select(p => p.Transition.KeyUse).OfType<KeyUse>().GroupBy(u => u.Alias).OrderBy(g => g.Key, StringComparer.Ordinal).ToList();
        if (uses.Count == 0)
            return;
        batch.BatchCommands.Add(new NpgsqlBatchCommand("""
            update keys k set calls = k.calls + u.calls, throttled = k.throttled + u.throttled, faults = k.faults + u.faults,
                input_tokens = k.input_tokens + u.input_tokens, output_tokens = k.output_tokens + u.output_tokens, last_used_at = now(),
                refused_reason = coalesce(u.refused, k.refused_reason), refused_at = case when u.refused is null then k.refused_at else now() end
            from (select * from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[])
                as x(alias, calls, throttled, faults, input_tokens, output_tokens, refused) order by alias) u
            where k.alias = u.alias
            """)
        {
            Parameters =
            {
                new NpgsqlParameter<string[]> { TypedValue = [.. uses.Select(g => g.Key)] },
                new NpgsqlParameter<long[]> { TypedValue = [.. uses.Select(g => g.Sum(u => (long)u.Calls))] },
                new NpgsqlParameter<long[]> { TypedValue = [.. uses.Select(g => g.LongCount(u => u.Throttled))] },
                new NpgsqlParameter<long[]> { TypedValue = [.. uses.Select(g => g.LongCount(u => u.Fault))] },
                new NpgsqlParameter<long[]> { TypedValue = [.. uses.Select(g => g.Sum(u => u.InputTokens))] },
                new NpgsqlParameter<long[]> { TypedValue = [.. uses.Select(g => g.Sum(u => u.OutputTokens))] },
                new NpgsqlParameter<string?[]> { TypedValue = [.. uses.Select(g => g.Select(u => u.RefusedReason).LastOrDefault(r => r is not null))] },
            },
        });
    }

    private void Committed(List<Pending> members, List<Pending> writing, HashSet<Pending> without, LimitLedger ledger, IReadOnlyList<StageSettled> stages, IReadOnlyList<Announcement> alerts)
    {
        foreach (var bucket in ledger.Buckets)
            views.Show(bucket);
        foreach (var budget in ledger.Budgets)
            views.Show(budget);
        foreach (var use in writing.Select(p => p.Transition.KeyUse))
            if (use?.RefusedReason is { } reason)
                views.ShowKey(use.Alias, reason);
        foreach (var stage in stages)
            writing.First(p => p.Transition.EndedForSummary == stage.SummaryId).Transition.Ring(stage);
        foreach (var pending in writing)
            pending.Transition.LeaveTheBellToTheFirst();
        metrics.Committed(writing.ConvertAll(p => p.Transition));
        foreach (var _ in without)
            metrics.Again(CommitOutcome.NoRoom);
        if (writing.Any(p => p.Transition.Webhooks.Count > 0))
            webhookBell.Ring();
        announcer.Announce(writing.SelectMany(p => p.Transition.Announcements).Concat(alerts));
        foreach (var alert in alerts)
            Tell(alert.Message);

        foreach (var pending in members)
            pending.Settle(without.Contains(pending) ? CommitOutcome.NoRoom : CommitOutcome.Committed);
        // The Pacer looks again when a task came to wait, or when what it waits for may have come.
        if (writing.Any(p => p.Transition.Parking is not null || p.Transition.Task?.DueAt is not null)
            || (ledger.Buckets.Any(b => b.Waiting > 0) || ledger.Budgets.Any(b => b.Waiting > 0)))
            lineBell.Ring();
    }

    private void Tell(object alert)
    {
        switch (alert)
        {
            case QuotaThresholdReached quota:
                metrics.Alert(quota);
                logger.LogWarning("The {Kind} {Subject} is used up to {Percent} %: {Consequence}.", quota.Kind, quota.Subject, quota.Percent, quota.Consequence);
                break;
            case ProviderHealthChanged health:
                metrics.Health(health);
                logger.Log(health.State == "open" ? LogLevel.Warning : LogLevel.Information, "The breaker of {Bucket} is {State}: {Reason}.{Next}", health.Bucket, health.State, health.Reason,
                    health.NextProbeAt is { } next ? $" The next call is let through at {next:HH:mm:ss} UTC." : "");
                break;
        }
    }

    private sealed record Written(HashSet<Pending> Conflicts, IReadOnlyList<StageSettled> SettledStages);

    private sealed record Pending(Transition Transition, TaskCompletionSource<CommitOutcome> Outcome)
    {
        public Guid Subject { get; } = Transition.Task?.CorrelationId ?? Transition.Summary?.CorrelationId ?? Guid.NewGuid();

        public void Settle(CommitOutcome outcome)
        {
            Transition.Settle(outcome);
            Outcome.TrySetResult(outcome);
        }

        public void Fail(Exception e)
        {
            Transition.Settle(null);
            Outcome.TrySetException(e);
        }

        public void Cancel()
        {
            Transition.Settle(null);
            Outcome.TrySetCanceled();
        }
    }
}
