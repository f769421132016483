using Npgsql;

namespace LlmQueue.Storage.Webhooks;

/// <summary>A due delivery with what it tells; the rest of a batch is read by the caller.</summary>
public sealed record DueWebhook(WebhookRow Row, string? State, string? Reason, string? Metadata, bool AddressIsGone);

/// <summary>
/// The due webhook deliveries and their results. Any worker may make any delivery; one that dies with it has only delayed it.
/// </summary>
public sealed class WebhookRepository(NpgsqlDataSource database)
{
    /// <summary>Longer than a call may take: then its worker is gone.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromMinutes(1);

    /// <summary>For how long an address that answered 410 is left alone.</summary>
    private static readonly TimeSpan GoneFor = TimeSpan.FromDays(1);

    private const string Try = """
        with try as (insert into webhook_tries (webhook_id, number, at, milliseconds, result) values ($1, $2, now(), $3, $4) on conflict do nothing)
        update webhooks set taken_at = null, last_result = $4
        """;

    /// <summary>
    /// Takes calls that are due, in turn between tenants: who has calls on their way stands behind who has none, and nobody has more than
    /// a share of them, so receivers of one tenant that never answer hold up nobody else's.
    /// </summary>
    /// <param name="most">As many as can be called now.</param>
    /// <param name="mostOfTenant">As many as one tenant may have on their way.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task<IReadOnlyList<DueWebhook>> Take(int most, int mostOfTenant, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("""
            with calling as (select tenant, count(*) as calls from webhooks where done_at is null and taken_at is not null and due_at > now() group by tenant),
                 turns as (select h.id, h.due_at, coalesce(c.calls, 0) + row_number() over (partition by h.tenant order by h.due_at) as turn
                     from webhooks h left join calling c on c.tenant = h.tenant where h.done_at is null and h.due_at <= now()),
                 due as (select w.id from webhooks w join turns t on t.id = w.id
                     where t.turn <= $4 and w.done_at is null and w.due_at <= now() order by t.turn, t.due_at limit $1 for update of w skip locked),
                 w as (update webhooks w set due_at = now() + $2, taken_at = now(), attempts = attempts + 1 from due where w.id = due.id
                     returning w.id, w.task_id, w.batch_id, w.tenant, w.url, w.type, w.created_at, w.due_at, w.attempts, w.tries_before)
            select w.id, w.task_id, w.batch_id, w.tenant, w.url, w.type, w.created_at, w.due_at, w.attempts, w.tries_before, t.state, t.failure_reason, t.metadata,
                exists (select 1 from gone_addresses g where g.tenant = w.tenant and g.url = w.url and g.at > now() - $3)
            from w left join tasks t on t.id = w.task_id
            """);
        command.Parameters.AddWithValue(most);
        command.Parameters.AddWithValue(Lease);
        command.Parameters.AddWithValue(GoneFor);
        command.Parameters.AddWithValue(mostOfTenant);
        var due = new List<DueWebhook>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            due.Add(new DueWebhook(
                new WebhookRow
                {
                    Id = reader.GetGuid(0), TaskId = reader.IsDBNull(1) ? null : reader.GetGuid(1),
                    BatchId = reader.IsDBNull(2) ? null : reader.GetGuid(2), Tenant = reader.GetString(3), Url = reader.GetString(4),
                    Type = reader.GetString(5), CreatedAt = reader.GetDateTime(6), DueAt = reader.GetDateTime(7),
                    Attempts = reader.GetInt32(8), TriesBefore = reader.GetInt32(9),
                },
                Text(reader, 10), Text(reader, 11), Text(reader, 12), reader.GetBoolean(13)));
        return due;
    }

    /// <summary>When the next one is due; null when none waits.</summary>
    public async Task<DateTime?> Next(CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("select min(due_at) from webhooks where done_at is null");
        return await command.ExecuteScalarAsync(cancellationToken) as DateTime?;
    }

    /// <summary>What was taken is taken, whoever has tried it again meanwhile.</summary>
    public Task Delivered(WebhookRow webhook, string result, TimeSpan took, CancellationToken cancellationToken) =>
        Tried($"{Try}, done_at = now(), delivered = true where id = $1", webhook, result, took, cancellationToken);

    public Task GivenUp(WebhookRow webhook, string result, TimeSpan took, CancellationToken cancellationToken) =>
        Tried($"{Try}, done_at = now() where id = $1 and attempts = $2 and done_at is null", webhook, result, took, cancellationToken);

    public Task TryAgain(WebhookRow webhook, string result, TimeSpan took, TimeSpan pause, CancellationToken cancellationToken) =>
        Tried($"{Try}, due_at = now() + $5 where id = $1 and attempts = $2 and done_at is null", webhook, result, took, cancellationToken,
            pause);

    /// <summary>The receiver wants no calls any more.</summary>
    public Task Gone(WebhookRow webhook, CancellationToken cancellationToken) =>
        Execute("insert into gone_addresses (tenant, url, at) values ($1, $2, now()) on conflict (tenant, url) do update set at = now()",
            cancellationToken, webhook.Tenant, webhook.Url);

    /// <summary>
    /// Calls again at once, under the same id and with the whole schedule before it; an address that had answered 410 is tried anew, for
    /// its owner has asked. False while a worker is calling: there is nothing to repeat yet.
    /// </summary>
    public async Task<bool> Replay(Guid id, CancellationToken cancellationToken) =>
        await Execute("""
            with again as (update webhooks set done_at = null, delivered = false, due_at = now(), taken_at = null, tries_before = attempts where id = $1 and (taken_at is null or taken_at < now() - $2) returning tenant, url),
                 back as (delete from gone_addresses g using again where g.tenant = again.tenant and g.url = again.url)
            select count(*)::int from again
            """, cancellationToken, id, Lease) is 1;

    private Task<object?> Tried(
        string sql, WebhookRow webhook, string result, TimeSpan took, CancellationToken cancellationToken, params object[] more) =>
        Execute(sql, cancellationToken, [webhook.Id, webhook.Attempts, (int)took.TotalMilliseconds, result, .. more]);

    private async Task<object?> Execute(string sql, CancellationToken cancellationToken, params object[] values)
    {
        await using var command = database.CreateCommand(sql);
        foreach (var value in values)
            command.Parameters.AddWithValue(value);
        return await command.ExecuteScalarAsync(cancellationToken);
    }

    private static string? Text(NpgsqlDataReader reader, int place) => reader.IsDBNull(place) ? null : reader.GetString(place);
}
