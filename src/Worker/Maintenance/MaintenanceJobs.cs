using LlmQueue.Storage.Budgets;
using LlmQueue.Worker.Classification;
using Microsoft.Extensions.Logging;
using Npgsql;
using Quartz;

namespace LlmQueue.Worker.Maintenance;

/// <summary>Opens the coming budget period, so that midnight finds its row.</summary>
[DisallowConcurrentExecution]
public sealed class BudgetRolloverJob(BudgetRepository budgets, TimeProvider clock) : IJob
{
    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        await budgets.OpenPeriods(now, cancellationToken);
        await budgets.OpenPeriods(now.AddDays(1), cancellationToken);
    }
}

/// <summary>The pruner: removes tasks that ended long ago, a portion at a time.</summary>
[DisallowConcurrentExecution]
public sealed class PruneJob(NpgsqlDataSource database, WorkerOptions options, ILogger<PruneJob> logger) : IJob
{
    private const int Chunk = 1000;

    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default)
    {
        var removed = 0;
        int ended;
        do
        {
            await using var command = database.CreateCommand($"""
                with gone as (delete from tasks where id in (select t.id from tasks t where t.ended_at < now() - $1
                    and (t.batch_id is null or not exists (select 1 from batches b where b.id = t.batch_id and b.status in ('validating', 'in_progress', 'finalizing', 'cancelling'))) order by t.ended_at limit {Chunk}) returning id),
                     a as (delete from attempts where task_id in (select id from gone)),
                     h as (delete from history where subject_id in (select id from gone)),
                     p as (delete from payloads where subject_id in (select id from gone)),
                     f as (delete from feedback where task_id in (select id from gone)),
                     w as (delete from webhooks where task_id in (select id from gone) returning id),
                     y as (delete from webhook_tries where webhook_id in (select id from w))
                select count(*)::int from gone
                """);
            command.Parameters.AddWithValue(options.KeepEnded);
            ended = (int)(await command.ExecuteScalarAsync(cancellationToken))!;
            removed += ended;
        }
        while (ended == Chunk);
        await using var rest = database.CreateCommand("""
            with gone as (delete from summaries where ended_at < now() - $1 returning id),
                 h as (delete from history where subject_id in (select id from gone)),
                 p as (delete from payloads where subject_id in (select id from gone)),
                 r as (delete from rankings where seen_at < now() - $1),
                 k as (delete from request_keys where at < now() - $1),
                 w as (delete from webhooks where batch_id is not null and done_at < now() - $1 returning id),
                 y as (delete from webhook_tries where webhook_id in (select id from w))
            select 1
            """);
        rest.Parameters.AddWithValue(options.KeepEnded);
        await rest.ExecuteNonQueryAsync(cancellationToken);
        await using var said = database.CreateCommand("delete from classifications where at < now() - $1");
        said.Parameters.AddWithValue(ClassificationCache.KeptFor);
        await said.ExecuteNonQueryAsync(cancellationToken);
        if (removed > 0)
            logger.LogInformation("{Count} tasks that ended more than {Days} days ago were removed.", removed, options.KeepEnded.TotalDays);
    }
}
