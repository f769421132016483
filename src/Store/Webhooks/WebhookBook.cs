using LlmQueue.Store.Rows;
using Npgsql;

namespace LlmQueue.Store.Webhooks;

/// <summary>A call that is due, and what it tells.</summary>
public sealed record DueWebhook(WebhookRow Row, string State, string? Reason, string? Metadata, bool AddressIsGone);

/// <summary>Which calls are due, and what came of them. Any worker may make any call; one that dies with it has only delayed it.</summary>
public sealed class WebhookBook(NpgsqlDataSource database)
{
    /// <summary>Longer than a call may take: then its worker is gone.</summary>
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(1);

    /// <summary>For how long an address that answered 410 is left alone.</summary>
    private static readonly TimeSpan GoneFor = TimeSpan.FromDays(1);

    public async Task<IReadOnlyList<DueWebhook>> Take(int most, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("""
            with due as (select id from webhooks where done_at is null and due_at <= now() order by due_at limit $1 for update skip locked)
            update webhooks w set due_at = now() + $2, attempts = attempts + 1 from due, tasks t where w.id = due.id and t.id = w.task_id
            returning w.id, w.task_id, w.tenant, w.url, w.type, w.created_at, w.due_at, w.attempts, t.state, t.failure_reason, t.metadata,
                exists (select 1 from gone_addresses g where g.tenant = w.tenant and g.url = w.url and g.at > now() - $3)
            """);
        command.Parameters.AddWithValue(most);
        command.Parameters.AddWithValue(Lease);
        command.Parameters.AddWithValue(GoneFor);
        var due = new List<DueWebhook>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            due.Add(new DueWebhook(
                new WebhookRow
                {
                    Id = reader.GetGuid(0), TaskId = reader.GetGuid(1), Tenant = reader.GetString(2), Url = reader.GetString(3), Type = reader.GetString(4),
                    CreatedAt = reader.GetDateTime(5), DueAt = reader.GetDateTime(6), Attempts = reader.GetInt32(7),
                },
                reader.GetString(8), reader.IsDBNull(9) ? null : reader.GetString(9), reader.IsDBNull(10) ? null : reader.GetString(10), reader.GetBoolean(11)));
        return due;
    }

    /// <summary>When the next one is due; null when none waits.</summary>
    public async Task<DateTime?> Next(CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("select min(due_at) from webhooks where done_at is null");
        return await command.ExecuteScalarAsync(cancellationToken) as DateTime?;
    }

    public Task Delivered(Guid id, string result, CancellationToken cancellationToken) =>
        Execute("update webhooks set done_at = now(), delivered = true, last_result = $2 where id = $1", cancellationToken, id, result);

    public Task GivenUp(Guid id, string result, CancellationToken cancellationToken) =>
        Execute("update webhooks set done_at = now(), last_result = $2 where id = $1", cancellationToken, id, result);

    public Task TryAgain(Guid id, string result, TimeSpan pause, CancellationToken cancellationToken) =>
        Execute("update webhooks set due_at = now() + $3, last_result = $2 where id = $1", cancellationToken, id, result, pause);

    /// <summary>The receiver wants no calls any more.</summary>
    public Task Gone(WebhookRow webhook, CancellationToken cancellationToken) =>
        Execute("insert into gone_addresses values ($1, $2, now()) on conflict (tenant, url) do update set at = now()", cancellationToken, webhook.Tenant, webhook.Url);

    private async Task Execute(string sql, CancellationToken cancellationToken, params object[] values)
    {
        await using var command = database.CreateCommand(sql);
        foreach (var value in values)
            command.Parameters.AddWithValue(value);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
