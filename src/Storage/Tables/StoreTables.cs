using LlmQueue.Limits;
using LlmQueue.Storage.Outbox;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.Webhooks;
using Microsoft.EntityFrameworkCore.Metadata;
using Npgsql;

namespace LlmQueue.Storage.Tables;

/// <summary>The statements of the hot path, one for each kind of row.</summary>
public sealed class StoreTables(IModel model)
{
    /// <summary>What a task was asked never changes; only the rest is written again.</summary>
    private static readonly IReadOnlyList<string> TaskFixed =
    [
        nameof(TaskRow.CorrelationId), nameof(TaskRow.Tenant), nameof(TaskRow.Title), nameof(TaskRow.Priority), nameof(TaskRow.HighStakes),
        nameof(TaskRow.Agent), nameof(TaskRow.Conversation), nameof(TaskRow.RequestedModel), nameof(TaskRow.Deadline),
        nameof(TaskRow.Metadata), nameof(TaskRow.WebhookUrl), nameof(TaskRow.SubmittedAt), nameof(TaskRow.SummaryId),
        nameof(TaskRow.SummaryRole), nameof(TaskRow.PageNumber), nameof(TaskRow.PartNumber), nameof(TaskRow.BatchId),
        nameof(TaskRow.BatchLine), nameof(TaskRow.CustomId),
    ];

    private static readonly IReadOnlyList<string> AttemptEnd =
    [
        nameof(AttemptRow.EndedAt), nameof(AttemptRow.Outcome), nameof(AttemptRow.Detail), nameof(AttemptRow.ModelVersion),
        nameof(AttemptRow.PromptHash), nameof(AttemptRow.OutputHash), nameof(AttemptRow.InputTokens), nameof(AttemptRow.OutputTokens),
        nameof(AttemptRow.CostUsd), nameof(AttemptRow.LatencyMs),
    ];

    /// <summary>
    /// A transition tried again after its commit's outcome was lost must find the conflict at the subject's row, not an
    /// error at one of these.
    /// </summary>
    private const string Twice = "on conflict do nothing";

    private readonly RowTable<TaskRow> _tasks = new(model);
    private readonly RowTable<SummaryRow> _summaries = new(model);
    private readonly RowTable<AttemptRow> _attempts = new(model);
    private readonly RowTable<HistoryRow> _history = new(model);
    private readonly RowTable<PayloadRow> _payloads = new(model);
    private readonly RowTable<OutboxRow> _outbox = new(model);
    private readonly RowTable<WebhookRow> _webhooks = new(model);
    private readonly RowTable<TokenBucket> _buckets = new(model);
    private readonly RowTable<Budget> _budgets = new(model);
    private readonly RowTable<TenantShare> _tenants = new(model);

    public NpgsqlBatchCommand InsertTasks(IReadOnlyList<TaskRow> rows) => _tasks.Insert(rows, "on conflict (id) do nothing returning id");

    public NpgsqlBatchCommand UpdateTasks(IReadOnlyList<TaskRow> rows) =>
        _tasks.Update(rows, [nameof(TaskRow.CorrelationId)], [.. _tasks.Properties.Except(TaskFixed)], "and t.version = u.version - 1",
            "returning t.id");

    public NpgsqlBatchCommand InsertSummaries(IReadOnlyList<SummaryRow> rows) =>
        _summaries.Insert(rows, "on conflict (id) do nothing returning id");

    /// <summary>
    /// The count of open tasks belongs to the tasks that end; a summary's own transition sets it only when it opens a stage.
    /// </summary>
    public NpgsqlBatchCommand UpdateSummaries(IReadOnlyList<SummaryRow> rows) =>
        _summaries.Update(rows, [nameof(SummaryRow.CorrelationId)], [.. _summaries.Properties.Except(
            [nameof(SummaryRow.CorrelationId), nameof(SummaryRow.OpenTasks), nameof(SummaryRow.SubmittedAt)])],
            "and t.version = u.version - 1", "returning t.id",
            ", open_tasks = case when t.stage = u.stage then t.open_tasks else u.stage_tasks end");

    public NpgsqlBatchCommand InsertAttempts(IReadOnlyList<AttemptRow> rows) => _attempts.Insert(rows, Twice);

    public NpgsqlBatchCommand EndAttempts(IReadOnlyList<AttemptRow> rows) =>
        _attempts.Update(rows, [nameof(AttemptRow.TaskId), nameof(AttemptRow.Number)], AttemptEnd, "and t.ended_at is null");

    public NpgsqlBatchCommand InsertHistory(IReadOnlyList<HistoryRow> rows) => _history.Insert(rows, Twice);

    public NpgsqlBatchCommand InsertPayloads(IReadOnlyList<PayloadRow> rows) => _payloads.Insert(rows, Twice);

    public NpgsqlBatchCommand InsertOutbox(IReadOnlyList<OutboxRow> rows) => _outbox.Insert(rows, Twice);

    public NpgsqlBatchCommand InsertWebhooks(IReadOnlyList<WebhookRow> rows) => _webhooks.Insert(rows, Twice);

    public static NpgsqlBatchCommand InsertCancellations(IReadOnlyList<Guid> subjects) =>
        new($"insert into cancellations (subject_id) select u.id from unnest($1::uuid[]) as u(id) {Twice}")
        {
            Parameters = { new NpgsqlParameter<Guid[]> { TypedValue = [.. subjects] } },
        };

    public NpgsqlBatchCommand UpdateBuckets(IReadOnlyList<TokenBucket> rows) =>
        _buckets.Update(rows, [nameof(TokenBucket.Id)], [.. _buckets.Properties.Except(
            [nameof(TokenBucket.Id), nameof(TokenBucket.Provider), nameof(TokenBucket.Organisation), nameof(TokenBucket.Model)])]);

    public NpgsqlBatchCommand UpdateBudgets(IReadOnlyList<Budget> rows) =>
        _budgets.Update(rows, [nameof(Budget.Id)], [nameof(Budget.SpentUsd), nameof(Budget.Waiting), nameof(Budget.ReservedUsd),
            nameof(Budget.SettledUsd), nameof(Budget.ReleasedUsd)]);

    public NpgsqlBatchCommand UpdateTenants(IReadOnlyList<TenantShare> rows) =>
        _tenants.Update(rows, [nameof(TenantShare.Name)], [nameof(TenantShare.VirtualFinish)]);

    public NpgsqlBatchCommand InsertBuckets(IReadOnlyList<TokenBucket> rows) => _buckets.Insert(rows, "on conflict (id) do nothing");

    /// <summary>
    /// Takes the limits of a catalogue that has changed; what headers, refusals and use taught of an unchanged one is kept.
    /// </summary>
    public NpgsqlBatchCommand RelimitBuckets(IReadOnlyList<TokenBucket> rows) => _buckets.Update(rows, [nameof(TokenBucket.Id)],
        [nameof(TokenBucket.RequestsPerMinute), nameof(TokenBucket.RequestsPerDay), nameof(TokenBucket.TokensPerMinute),
            nameof(TokenBucket.TokensPerDay), nameof(TokenBucket.CatalogueLimits),
         nameof(TokenBucket.ClaimedRequestsPerMinute), nameof(TokenBucket.RequestsKnownUntil), nameof(TokenBucket.ProvenRequests),
         nameof(TokenBucket.MarkAt)], "and t.catalogue_limits <> u.catalogue_limits");

    /// <summary>Forgets why buckets were disabled: at a start a person may have replaced the key or mended the catalogue.</summary>
    public NpgsqlBatchCommand EnableBuckets(IReadOnlyList<TokenBucket> rows) =>
        _buckets.Update(rows, [nameof(TokenBucket.Id)], [nameof(TokenBucket.DisabledReason)], "and t.disabled_reason is not null");

    public NpgsqlBatchCommand InsertBudgets(IReadOnlyList<Budget> rows) => _budgets.Insert(rows, "on conflict (id) do nothing");

    public NpgsqlBatchCommand RelimitBudgets(IReadOnlyList<Budget> rows) =>
        _budgets.Update(rows, [nameof(Budget.Id)], [nameof(Budget.LimitUsd)], "and t.limit_usd is distinct from u.limit_usd");

    /// <summary>Streams in tasks that are written together with their first history entry and their prompts.</summary>
    public async Task Copy(
        NpgsqlConnection connection, IReadOnlyCollection<TaskRow> tasks, IReadOnlyCollection<PayloadRow> payloads,
        IReadOnlyCollection<HistoryRow> history, CancellationToken cancellationToken)
    {
        await _tasks.Copy(connection, tasks, cancellationToken);
        await _payloads.Copy(connection, payloads, cancellationToken);
        await _history.Copy(connection, history, cancellationToken);
    }
    /// <summary>
    /// Named one by one in the order in which <see cref="ReadBucket"/> reads them: a table's own order depends on when
    /// its columns were added.
    /// </summary>
    public const string BucketColumns = """
        id, provider, organisation, model, requests_per_minute, requests_per_day, tokens_per_minute, tokens_per_day, catalogue_limits,
        as_of, level_requests_minute, level_requests_day, level_tokens_minute, level_tokens_day, closed_until, closed_reason, disabled_reason, waiting,
        reserved_requests, settled_requests, released_requests, reserved_tokens, settled_tokens, released_tokens, throttled,
        requests_drip_from, tokens_drip_from, claimed_requests_per_minute, requests_known_until, proven_requests, mark_requests, mark_at,
        waiting_tokens_interactive, waiting_tokens_normal, waiting_tokens_batch,
        faults_in_a_row, answered_at, broken_since, broken_reason, probe_at, failed_probes, ramp_until, ramp_left
        """;

    public static TokenBucket ReadBucket(NpgsqlDataReader r) => new()
    {
        Id = r.GetString(0), Provider = r.GetString(1), Organisation = r.GetString(2), Model = r.GetString(3),
        RequestsPerMinute = Maybe(r, 4), RequestsPerDay = Maybe(r, 5), TokensPerMinute = Maybe(r, 6), TokensPerDay = Maybe(r, 7),
        CatalogueLimits = r.GetString(8),
        AsOf = r.GetDateTime(9), LevelRequestsMinute = r.GetDouble(10), LevelRequestsDay = r.GetDouble(11),
        LevelTokensMinute = r.GetDouble(12), LevelTokensDay = r.GetDouble(13),
        ClosedUntil = r.IsDBNull(14) ? null : r.GetDateTime(14), ClosedReason = r.IsDBNull(15) ? null : r.GetString(15),
        DisabledReason = r.IsDBNull(16) ? null : DisabledReason.Read(r.GetString(16)),
        Waiting = r.GetInt32(17), ReservedRequests = r.GetInt64(18), SettledRequests = r.GetInt64(19), ReleasedRequests = r.GetInt64(20),
        ReservedTokens = r.GetInt64(21), SettledTokens = r.GetInt64(22), ReleasedTokens = r.GetInt64(23), Throttled = r.GetInt64(24),
        RequestsDripFrom = MaybeTime(r, 25), TokensDripFrom = MaybeTime(r, 26),
        ClaimedRequestsPerMinute = Maybe(r, 27), RequestsKnownUntil = MaybeTime(r, 28), ProvenRequests = r.GetDouble(29),
        MarkRequests = r.GetDouble(30), MarkAt = MaybeTime(r, 31),
        FaultsInARow = r.GetInt32(35), AnsweredAt = MaybeTime(r, 36), BrokenSince = MaybeTime(r, 37),
        BrokenReason = r.IsDBNull(38) ? null : r.GetString(38),
        ProbeAt = MaybeTime(r, 39), FailedProbes = r.GetInt32(40), RampUntil = MaybeTime(r, 41), RampLeft = r.GetInt32(42),
        WaitingTokensInteractive = r.GetDouble(32), WaitingTokensNormal = r.GetDouble(33), WaitingTokensBatch = r.GetDouble(34),
    };

    /// <summary>In the order in which <see cref="ReadBudget"/> reads them.</summary>
    public const string BudgetColumns =
        "id, scope, period_start, period_end, limit_usd, spent_usd, waiting, reserved_usd, settled_usd, released_usd";

    public static Budget ReadBudget(NpgsqlDataReader r) => new()
    {
        Id = r.GetString(0), Scope = r.GetString(1), PeriodStart = r.GetDateTime(2), PeriodEnd = r.GetDateTime(3),
        LimitUsd = r.IsDBNull(4) ? null : r.GetDecimal(4),
        SpentUsd = r.GetDecimal(5), Waiting = r.GetInt32(6), ReservedUsd = r.GetDecimal(7), SettledUsd = r.GetDecimal(8),
        ReleasedUsd = r.GetDecimal(9),
    };

    /// <summary>In the order in which <see cref="ReadTenant"/> reads them.</summary>
    public const string TenantColumns = "name, weight, virtual_finish";

    public static TenantShare ReadTenant(NpgsqlDataReader r) =>
        new() { Name = r.GetString(0), Weight = r.GetDouble(1), VirtualFinish = r.GetDouble(2) };

    private static DateTime? MaybeTime(NpgsqlDataReader r, int i) => r.IsDBNull(i) ? null : r.GetDateTime(i);

    private static double? Maybe(NpgsqlDataReader r, int i) => r.IsDBNull(i) ? null : r.GetDouble(i);
}
