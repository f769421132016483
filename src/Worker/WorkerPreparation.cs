using LlmQueue.Hosting.Settings;
using LlmQueue.Storage.Budgets;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Leases;
using LlmQueue.Worker.Maintenance;
using LlmQueue.Worker.Ranking;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace LlmQueue.Worker;

/// <summary>What a worker does once before its host runs.</summary>
public static class WorkerPreparation
{
    /// <summary>
    /// Opens the buckets and budgets and reads what is known of them; call it after PrepareQueueStore and before the host runs.
    /// </summary>
    public static async Task PrepareQueueWorker(this IServiceProvider services, CancellationToken cancellationToken = default)
    {
        var settings = services.GetRequiredService<QueueSettings>();
        var keys = settings.Providers.Values.SelectMany(p => p.Keys).ToList();
        await RegisterKeys(services.GetRequiredService<NpgsqlDataSource>(), keys, cancellationToken);
        await services.GetRequiredService<CatalogueSynchronizer>().OpenAll(cancellationToken);
        await services.GetRequiredService<BudgetRepository>().Begin(settings.DailyBudgetUsd, cancellationToken);
        await services.GetRequiredService<CallEstimates>().Load(cancellationToken);
        await services.GetRequiredService<ModelRanking>().Load(cancellationToken);
        await services.GetRequiredService<ClassificationCache>().Load(cancellationToken);
        await services.GetRequiredService<Heartbeat>().Beat(cancellationToken);
    }

    /// <summary>
    /// Every key of this process has its row; what a refused one was refused for is forgotten, as a person may have replaced it.
    /// </summary>
    private static async Task RegisterKeys(NpgsqlDataSource database, List<ProviderKey> keys, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(new NpgsqlBatchCommand("""
            insert into keys (alias, provider, organisation, calls, throttled, faults, input_tokens, output_tokens)
            select k.alias, k.provider, k.organisation, 0, 0, 0, 0, 0 from unnest($1::text[], $2::text[], $3::text[]) as k(alias, provider, organisation) order by k.alias
            on conflict (alias) do update set organisation = excluded.organisation, refused_reason = null, refused_at = null
            """)
        {
            Parameters =
            {
                new NpgsqlParameter<string[]> { TypedValue = [.. keys.Select(k => k.Alias)] },
                new NpgsqlParameter<string[]> { TypedValue = [.. keys.Select(k => k.Provider)] },
                new NpgsqlParameter<string[]> { TypedValue = [.. keys.Select(k => k.Organisation)] },
            },
        });
        await batch.ExecuteNonQueryAsync(cancellationToken);
    }
}
