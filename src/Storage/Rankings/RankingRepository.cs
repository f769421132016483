using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using Npgsql;

namespace LlmQueue.Storage.Rankings;

/// <summary>The runs of one subject and kind that one worker has seen since it last shared them.</summary>
/// <param name="Subject">As in <see cref="RankingRow"/>.</param>
/// <param name="Kind">The kind of task.</param>
/// <param name="Runs">Of all models together.</param>
/// <param name="Models">Sums by model, faded as of the last of these runs.</param>
public sealed record RunsSeen(string Subject, string Kind, long Runs, IReadOnlyList<ModelRuns> Models);

/// <summary>
/// The shared sums behind the ranking. Workers add what they saw, so that all learn from all and a restart forgets nothing.
/// </summary>
public sealed class RankingRepository(NpgsqlDataSource database)
{
    private static readonly string Tell = $"""
        with told as (
            insert into rankings as r (subject, kind, model, runs, as_of_run, weight, successes, speed, seconds, quality, quality_weight, seen_at)
            values ($1, $2, '', $3, 0, 0, 0, 0, 0, 0, 0, now())
            on conflict (subject, kind, model) do update set runs = r.runs + $3, seen_at = now() returning runs)
        insert into rankings as r (subject, kind, model, runs, as_of_run, weight, successes, speed, seconds, quality, quality_weight, seen_at)
        select $1, $2, u.model, u.runs, told.runs, u.weight, u.successes, u.speed, u.seconds, u.quality, u.quality_weight, now()
        from told, (select x.model, x.runs, x.weight, x.successes, x.speed, x.seconds, x.quality, x.quality_weight
            from unnest($4::text[], $5::bigint[], $6::float8[], $7::float8[], $8::float8[], $9::float8[], $10::float8[], $11::float8[])
                as x(model, runs, weight, successes, speed, seconds, quality, quality_weight) order by x.model) u
        on conflict (subject, kind, model) do update set runs = r.runs + excluded.runs, as_of_run = excluded.as_of_run, seen_at = now(),
            {string.Join(", ", new[] { "weight", "successes", "speed", "seconds", "quality", "quality_weight" }.Select(Faded))}
        """;

    private const string ReadAll =
        "select subject, kind, model, runs, as_of_run, weight, successes, speed, seconds, quality, quality_weight from rankings";
    private const int MostRows = 100_000;

    /// <summary>
    /// A sum faded by the runs since, and what is new. What has faded to next to nothing is nothing: the server takes an
    /// underflow for an error.
    /// </summary>
    private static string Faded(string sum) =>
        $"{sum} = greatest(0, excluded.{sum} + case when r.{sum} < 1e-9 or excluded.as_of_run - r.as_of_run > 500 then 0 else r.{sum} * "
            + "power($12, (excluded.as_of_run - r.as_of_run)::float8) end)";

    /// <summary>Adds what was seen, in one transaction for all of it.</summary>
    public async Task Add(IReadOnlyCollection<RunsSeen> seen, CancellationToken cancellationToken)
    {
        await using var batch = database.CreateBatch();
        // In one order, so that two workers that tell at once wait for each other and never in a circle.
        foreach (var one in seen.OrderBy(s => s.Subject, StringComparer.Ordinal).ThenBy(s => s.Kind, StringComparer.Ordinal))
            batch.BatchCommands.Add(Telling(one));
        await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>The sums as of the last run of each subject and kind.</summary>
    /// <param name="keys">Which; null for all.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    public async Task<Dictionary<(string Subject, string Kind), IReadOnlyList<ModelRuns>>> Read(
        IReadOnlyCollection<(string Subject, string Kind)>? keys, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(keys is null
            ? $"{ReadAll} order by seen_at desc limit {MostRows}"
            : $"{ReadAll} where (subject, kind) in (select k.subject, k.kind from unnest($1::text[], $2::text[]) as k(subject, kind))");
        if (keys is not null)
        {
            command.Parameters.AddWithValue(keys.Select(k => k.Subject).ToArray());
            command.Parameters.AddWithValue(keys.Select(k => k.Kind).ToArray());
        }

        var rows = new List<RankingRow>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            rows.Add(new RankingRow
            {
                Subject = reader.GetString(0), Kind = reader.GetString(1), Model = reader.GetString(2), Runs = reader.GetInt64(3),
                AsOfRun = reader.GetInt64(4),
                Weight = reader.GetDouble(5), Successes = reader.GetDouble(6), Speed = reader.GetDouble(7), Seconds = reader.GetDouble(8),
                Quality = reader.GetDouble(9), QualityWeight = reader.GetDouble(10),
            });
        return rows.GroupBy(r => (r.Subject, r.Kind)).ToDictionary(g => g.Key, g => Present([.. g]));
    }

    private static IReadOnlyList<ModelRuns> Present(List<RankingRow> rows)
    {
        var runs = rows.Find(r => r.Model.Length == 0)?.Runs ?? rows.Max(r => r.AsOfRun);
        return [.. rows.Where(r => r.Model.Length > 0).Select(r => RankingRule.At(r, runs))];
    }

    /// <summary>
    /// Keeps what somebody said of an answer, and adds it to its model's quality in the same transaction. Said again it changes nothing;
    /// said otherwise, the later word takes the place of the earlier one.
    /// </summary>
    public async Task Rate(TaskRow task, double score, string? comment, DateTime now, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        // The task's row orders two that speak at once; without it both would find no former word.
        await Run("select 1 from tasks where id = $1 for update", task.CorrelationId);
        await using var former = new NpgsqlCommand("select score from feedback where task_id = $1", connection, transaction)
        {
            Parameters = { new() { Value = task.CorrelationId } },
        };
        var before = (double?)await former.ExecuteScalarAsync(cancellationToken);
        await Run("""
            insert into feedback (task_id, tenant, model, score, comment, at) values ($1, $2, $3, $4, $5, $6)
            on conflict (task_id) do update set score = excluded.score, comment = excluded.comment, at = excluded.at
            """, task.CorrelationId, task.Tenant, task.AnsweredModel!, score, (object?)comment ?? DBNull.Value, now);
        var (subject, kind) = KeyOf(task);
        var change = ModelRuns.None(task.AnsweredModel!) with { Quality = score - (before ?? 0), QualityWeight = before is null ? 1 : 0 };
        await using var batch =
            new NpgsqlBatch(connection, transaction) { BatchCommands = { Telling(new RunsSeen(subject, kind, 0, [change])) } };
        await batch.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);

        async Task Run(string sql, params object[] values)
        {
            await using var command = new NpgsqlCommand(sql, connection, transaction);
            foreach (var value in values)
                command.Parameters.AddWithValue(value);
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    private static NpgsqlBatchCommand Telling(RunsSeen seen)
    {
        var command = new NpgsqlBatchCommand(Tell);
        command.Parameters.AddWithValue(seen.Subject);
        command.Parameters.AddWithValue(seen.Kind);
        command.Parameters.AddWithValue(seen.Runs);
        command.Parameters.AddWithValue(seen.Models.Select(m => m.Model).ToArray());
        command.Parameters.AddWithValue(seen.Models.Select(m => m.Runs).ToArray());
        foreach (var sum in new Func<ModelRuns, double>[]
        {
            m => m.Weight, m => m.Successes, m => m.Speed, m => m.Seconds, m => m.Quality, m => m.QualityWeight,
        })
            command.Parameters.AddWithValue(seen.Models.Select(sum).ToArray());
        command.Parameters.AddWithValue(RankingRule.Fading);
        return command;
    }

    /// <summary>Where a task's runs are counted.</summary>
    public static (string Subject, string Kind) KeyOf(TaskRow task) =>
        task.Route.LoadBalanced || task.SummaryRole == SummaryRoles.Page
            ? (RankingRow.Pool, SummaryRoles.Page)
            : (RankingRow.SubjectOf(task.Tenant, task.Agent), task.Kind ?? "any");
}
