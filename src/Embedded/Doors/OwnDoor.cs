using LlmQueue.Contracts;
using LlmQueue.Embedded.Hosting;
using LlmQueue.Storage.Budgets;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Queue;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Embedded.Doors;

/// <summary>The queue of this very process.</summary>
internal sealed class OwnDoor(OneProcess process, FileLog log, TimeProvider clock) : IQueueDoor
{
    private readonly SummaryViews summaries = process.Services.GetRequiredService<SummaryViews>();
    private readonly TaskViews tasks = process.Services.GetRequiredService<TaskViews>();

    public bool IsSimulated => process.Installation.IsSimulated;

    public bool HasWorker => process.HasWorker;

    public Task<SummaryProgress?> Progress(Guid id, CancellationToken cancel) => summaries.ReadProgress(id, cancel);

    public Task<SummaryView?> Summary(Guid id, CancellationToken cancel) => summaries.Read(id, cancel);

    public async Task Submit(SummarizePages summary, CancellationToken cancel)
    {
        var taken = SummaryIntake.Read(summary, summary.Id!.Value, tenant: null, clock.GetUtcNow().UtcDateTime);
        if (taken.Refusal is { } refusal)
            throw new RefusalException(refusal);
        await process.Services.GetRequiredService<Submissions>().Submit(taken, cancel);
    }

    public Task Submit(IReadOnlyList<LlmTask> tasks, CancellationToken cancel)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        return process.Services.GetRequiredService<Submissions>().Submit([.. tasks.Select(task => TaskIntake.Read(task, task.Id!.Value, tenant: null, now))], cancel);
    }

    public Task<TaskView?> Find(Guid id, CancellationToken cancel) => tasks.Read(id, cancel);

    public async Task<IReadOnlyDictionary<Guid, string>> States(IReadOnlyCollection<Guid> ids, CancellationToken cancel) =>
        (await tasks.Known(ids, cancel)).ToDictionary(pair => pair.Key, pair => pair.Value.State);

    public Task<QueueView> Queue(CancellationToken cancel) => process.Services.GetRequiredService<QueueViews>().Read(cancel);

    public Task SetBudget(string scope, string period, decimal? limitUsd, CancellationToken cancel) => process.Services.GetRequiredService<BudgetRepository>().Set(scope, period, limitUsd, cancel);

    public async ValueTask DisposeAsync()
    {
        await process.DisposeAsync();
        log.Dispose();
    }
}
