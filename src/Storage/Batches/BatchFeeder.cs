using LlmQueue.Contracts;
using Npgsql;

namespace LlmQueue.Storage.Batches;

/// <summary>
/// Starts a batch's tasks in portions (backpressure). A hundred thousand lines wait as rows that nothing has looked at; of each batch and
/// model only so many are enqueued that the capacity scheduler always finds a task to grant capacity to. So a batch costs a handful of
/// messages, and one model's lines do not hold up another's. Called by the leading capacity scheduler only.
/// </summary>
public sealed class BatchFeeder(NpgsqlDataSource database, TimeProvider clock)
{
    /// <summary>At most so many tasks of one batch and model are in wait queues: a second's work of a fast installation.</summary>
    public const int Portion = 500;

    private static readonly TimeSpan Busy = TimeSpan.FromMilliseconds(200);

    /// <summary>While no batch is in progress: scheduling cycles are frequent, and a statement in each would be for nothing.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(1);

    private const string Sql = """
        with recursive lanes as (
            select b.id as batch, first.model from batches b cross join lateral (
                select coalesce(t.requested_model, '') as model from tasks t where t.batch_id = b.id and t.state = 'Submitted' order by coalesce(t.requested_model, '') limit 1) first
            where b.status = 'in_progress'
            union all
            select l.batch, next.model from lanes l cross join lateral (
                select coalesce(t.requested_model, '') as model from tasks t where t.batch_id = l.batch and t.state = 'Submitted' and coalesce(t.requested_model, '') > l.model
                order by coalesce(t.requested_model, '') limit 1) next),
        stock as (
            select l.batch, l.model, (select count(*) from (
                select 1 from tasks t where t.batch_id = l.batch and t.state in ('Submitted', 'WaitingForCapacity', 'WaitingForBudget', 'WaitingToRetry')
                    and coalesce(t.requested_model, '') = l.model and t.rung_at < 'infinity' limit $1) s) as there
            from lanes l),
        portion as (
            select p.id from stock s cross join lateral (
                select t.id from tasks t where t.batch_id = s.batch and t.state = 'Submitted' and coalesce(t.requested_model, '') = s.model and t.rung_at = 'infinity'
                order by t.batch_line limit $1 - s.there) p),
        fed as (update tasks t set rung_at = now() from portion where t.id = portion.id returning t.id)
        select id from fed union all select null from (select 1 from lanes limit 1) x
        """;

    private DateTime _next;

    /// <summary>The commands to send, and when to look again; null when no batch has tasks left to start.</summary>
    public async Task<(IReadOnlyList<object> Commands, DateTime? Next)> Feed(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        if (now < _next)
            return ([], _next);
        var (commands, anybody) = (new List<object>(), false);
        await using var command = database.CreateCommand(Sql);
        command.Parameters.AddWithValue(Portion);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            if (reader.IsDBNull(0))
                anybody = true;
            else
                commands.Add(new StartTask(reader.GetGuid(0)));
        }

        _next = now + (anybody ? Busy : Quiet);
        return (commands, anybody ? _next : null);
    }
}
