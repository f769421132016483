using LlmQueue.Contracts;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Outbox;
using LlmQueue.Storage.Tables;
using LlmQueue.Storage.UnitsOfWork;
using Npgsql;

namespace LlmQueue.Storage.Commits;

/// <summary>Writes a group of units of work in one batch: an array a column, one statement a table.</summary>
internal sealed class GroupWriter(StoreTables tables)
{
    public async Task<WrittenGroup> Write(
        NpgsqlConnection connection, NpgsqlTransaction transaction, List<PendingCommit> writing, LimitLedger ledger,
        IReadOnlyList<OutboxMessage> alerts, CancellationToken cancellationToken)
    {
        if (writing.Count == 0)
            return new WrittenGroup([], []);
        await using var batch = new NpgsqlBatch(connection, transaction);
        var checks = new List<IReadOnlyDictionary<Guid, PendingCommit>>();

        void Checked(NpgsqlBatchCommand command, IEnumerable<(Guid Id, PendingCommit Pending)> expected)
        {
            batch.BatchCommands.Add(command);
            checks.Add(expected.ToDictionary(e => e.Id, e => e.Pending));
        }

        var newTasks = writing.Where(p => p.UnitOfWork is { Task: not null, TaskIsNew: true }).ToList();
        if (newTasks.Count > 0)
            Checked(tables.InsertTasks(newTasks.ConvertAll(p => p.UnitOfWork.Task!)),
                newTasks.Select(p => (p.UnitOfWork.Task!.CorrelationId, p)));
        var movedTasks = writing.Where(p => p.UnitOfWork is { Task: not null, TaskIsNew: false }).OrderBy(p => p.Subject).ToList();
        if (movedTasks.Count > 0)
            Checked(tables.UpdateTasks(movedTasks.ConvertAll(p => p.UnitOfWork.Task!)),
                movedTasks.Select(p => (p.UnitOfWork.Task!.CorrelationId, p)));
        var newSummaries = writing.Where(p => p.UnitOfWork is { Summary: not null, SummaryIsNew: true }).ToList();
        if (newSummaries.Count > 0)
            Checked(tables.InsertSummaries(newSummaries.ConvertAll(p => p.UnitOfWork.Summary!)),
                newSummaries.Select(p => (p.UnitOfWork.Summary!.CorrelationId, p)));
        var movedSummaries = writing.Where(p => p.UnitOfWork is { Summary: not null, SummaryIsNew: false }).ToList();
        if (movedSummaries.Count > 0)
            Checked(tables.UpdateSummaries(movedSummaries.ConvertAll(p => p.UnitOfWork.Summary!)),
                movedSummaries.Select(p => (p.UnitOfWork.Summary!.CorrelationId, p)));

        var endedFor = writing.Where(p => p.UnitOfWork.EndedForSummary is not null)
            .GroupBy(p => p.UnitOfWork.EndedForSummary!.Value).ToList();
        if (endedFor.Count > 0)
            batch.BatchCommands.Add(EndForSummaries(endedFor));

        AddIfAny(batch, writing.SelectMany(p => p.UnitOfWork.Created), tables.InsertTasks);
        AddIfAny(batch, writing.SelectMany(p => p.UnitOfWork.Opened), tables.InsertAttempts);
        AddIfAny(batch, writing.SelectMany(p => p.UnitOfWork.Ended), tables.EndAttempts);
        AddIfAny(batch, writing.SelectMany(p => p.UnitOfWork.History), tables.InsertHistory);
        AddIfAny(batch, writing.SelectMany(p => p.UnitOfWork.Payloads), tables.InsertPayloads);
        AddIfAny(batch, writing.SelectMany(p => p.UnitOfWork.OutboxMessages).Concat(alerts).Select(a => a.ToRow()),
            tables.InsertOutbox);
        AddIfAny(batch, writing.SelectMany(p => p.UnitOfWork.Webhooks), tables.InsertWebhooks);
        AddIfAny(batch, writing.SelectMany(p => p.UnitOfWork.Cancellations), StoreTables.InsertCancellations);
        AddKeyUse(batch, writing);
        ledger.AddWrites(batch);

        return await Send(batch, checks, endedFor.Count > 0, cancellationToken);
    }

    private static async Task<WrittenGroup> Send(
        NpgsqlBatch batch, List<IReadOnlyDictionary<Guid, PendingCommit>> checks, bool endsForSummaries,
        CancellationToken cancellationToken)
    {
        var conflicts = new HashSet<PendingCommit>();
        var stages = new List<StageSettled>();
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        foreach (var expected in checks)
        {
            var found = new HashSet<Guid>();
            while (await reader.ReadAsync(cancellationToken))
                found.Add(reader.GetGuid(0));
            conflicts.UnionWith(expected.Where(e => !found.Contains(e.Key)).Select(e => e.Value));
            await reader.NextResultAsync(cancellationToken);
        }

        if (endsForSummaries)
        {
            while (await reader.ReadAsync(cancellationToken))
                if (reader.GetInt32(2) == 0)
                    stages.Add(new StageSettled(reader.GetGuid(0), reader.GetInt32(1)));
        }

        return new WrittenGroup(conflicts, stages);
    }

    private static NpgsqlBatchCommand EndForSummaries(List<IGrouping<Guid, PendingCommit>> endedFor) =>
        new NpgsqlBatchCommand("""
            update summaries s set open_tasks = s.open_tasks - u.ended
            from (select x.id, x.ended from unnest($1::uuid[], $2::int[]) as x(id, ended) order by x.id) u
            where s.id = u.id returning s.id, s.stage, s.open_tasks
            """)
        {
            Parameters =
            {
                new NpgsqlParameter<Guid[]> { TypedValue = [.. endedFor.Select(g => g.Key)] },
                new NpgsqlParameter<int[]> { TypedValue = [.. endedFor.Select(g => g.Count())] },
            },
        };

    private static void AddIfAny<T>(NpgsqlBatch batch, IEnumerable<T> rows, Func<IReadOnlyList<T>, NpgsqlBatchCommand> command)
    {
        var list = rows.ToList();
        if (list.Count > 0)
            batch.BatchCommands.Add(command(list));
    }

    private static void AddKeyUse(NpgsqlBatch batch, List<PendingCommit> writing)
    {
        var uses = writing.Select(p => p.UnitOfWork.KeyUse).OfType<KeyUse>().GroupBy(u => u.Alias)
            .OrderBy(g => g.Key, StringComparer.Ordinal).ToList();
        if (uses.Count == 0)
            return;
        batch.BatchCommands.Add(new NpgsqlBatchCommand("""
            update keys k set calls = k.calls + u.calls, throttled = k.throttled + u.throttled, faults = k.faults + u.faults,
                input_tokens = k.input_tokens + u.input_tokens, output_tokens = k.output_tokens + u.output_tokens, last_used_at = now(),
                refused_reason = coalesce(u.refused, k.refused_reason), refused_at = case when u.refused is null then k.refused_at else now() end
            from (select x.alias, x.calls, x.throttled, x.faults, x.input_tokens, x.output_tokens, x.refused
                from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[])
                    as x(alias, calls, throttled, faults, input_tokens, output_tokens, refused) order by x.alias) u
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
                new NpgsqlParameter<string?[]>
                {
                    TypedValue = [.. uses.Select(g => g.Select(u => u.RefusedReason).LastOrDefault(r => r is not null))],
                },
            },
        });
    }
}

/// <summary>The result of writing a group.</summary>
/// <param name="Conflicts">Those whose row had moved on: nothing of the group may be committed with them.</param>
/// <param name="SettledStages">Stages of summaries whose last task has ended with this group.</param>
internal sealed record WrittenGroup(HashSet<PendingCommit> Conflicts, IReadOnlyList<StageSettled> SettledStages);
