using LlmQueue.Storage.Budgets;
using LlmQueue.Storage.Tasks;
using Npgsql;

namespace LlmQueue.Worker.Scheduling;

/// <summary>A task near the head of its wait queue, with what the capacity scheduler must know to book capacity for it.</summary>
public sealed record WaitQueueHead(
    Guid Id, string Line, short Priority, double StartTag, double LineTokens, double PromptUnits, int MaxOutputTokens, int Attempt,
    DateTime WaitingSince, bool NotWoken, string? CallKind, IReadOnlyList<string> Budgets, bool Bound, string? Complexity);

/// <summary>Reads the first tasks of every wait queue.</summary>
public static class WaitQueueHeads
{
    private const int AClass = 128;

    /// <summary>
    /// The recursion steps from wait queue to wait queue, and in each from priority class to priority class, through one index: its cost is
    /// the number of queues, not of tasks. $1 is how many of each, $2 the time before which a command must have been sent to count as
    /// unanswered.
    /// </summary>
    public const string Sql = $"""
        with recursive l as (
            (select line, priority from tasks where state = 'WaitingForCapacity' and granted_at is null order by line, priority limit 1)
            union all
            select n.line, n.priority from l cross join lateral (
                select t.line, t.priority from tasks t where t.state = 'WaitingForCapacity' and t.granted_at is null and (t.line, t.priority) > (l.line, l.priority) order by t.line, t.priority limit 1) n)
        select h.id, l.line, h.priority, h.start_tag, h.line_tokens, h.prompt_units, h.max_output_tokens, h.attempt, h.waiting_since, h.not_woken, h.tenant, h.agent, h.kind, h.bound, h.call_kind, h.complexity from l
        cross join lateral (
            select t.id, t.priority, t.start_tag, t.line_tokens, t.prompt_units, coalesce(t.pass_output_tokens, t.max_output_tokens) as max_output_tokens, t.attempt, t.waiting_since, t.rung_at <= t.waiting_since or t.rung_at < $2 as not_woken,
                t.tenant, t.agent, t.kind, t.complexity, t.high_stakes or t.requested_model is not null as bound, case when t.pass like '{TaskPasses.Part}-%' then '{TaskPasses.Part}' else coalesce(t.pass, t.kind) end as call_kind from tasks t
            where t.state = 'WaitingForCapacity' and t.granted_at is null and t.line = l.line and t.priority = l.priority order by t.line, t.priority, t.start_tag, t.id limit $1) h
        """;

    /// <summary>Ordered by priority class, then by start-time fair queueing among tenants.</summary>
    public static async Task<IReadOnlyList<WaitQueueHead>> Read(
        NpgsqlConnection connection, NpgsqlTransaction? transaction, BudgetRepository budgets, DateTime now, TimeSpan unanswered,
        CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(Sql, connection, transaction)
        {
            Parameters =
            {
                new NpgsqlParameter<int> { TypedValue = AClass }, new NpgsqlParameter<DateTime> { TypedValue = now - unanswered },
            },
        };
        var heads = new List<WaitQueueHead>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            heads.Add(new WaitQueueHead(reader.GetGuid(0), reader.GetString(1), reader.GetInt16(2), reader.GetDouble(3),
                reader.GetDouble(4), reader.GetDouble(5), reader.GetInt32(6), reader.GetInt32(7), reader.GetDateTime(8),
                reader.GetBoolean(9),
                Text(reader, 14), budgets.Of(reader.GetString(10), Text(reader, 11), Text(reader, 12), now), reader.GetBoolean(13),
                Text(reader, 15)));
        heads.Sort(static (a, b) => a.Priority != b.Priority ? a.Priority.CompareTo(b.Priority)
            : a.StartTag != b.StartTag ? a.StartTag.CompareTo(b.StartTag) : a.Id.CompareTo(b.Id));
        return heads;
    }

    private static string? Text(NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetString(column);
}
