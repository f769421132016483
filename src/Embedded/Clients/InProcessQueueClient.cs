using LlmQueue.Contracts;
using LlmQueue.Embedded.Hosting;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Queue;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Embedded.Clients;

/// <summary>A client of the queue in this process.</summary>
internal sealed class InProcessQueueClient(OneProcess process, FileLog log, TimeProvider clock) : IQueueClient
{
    private readonly ClientServices _services = process.Services.GetRequiredService<ClientServices>();

    public bool IsSimulated => process.Installation.IsSimulated;

    public bool HasWorker => process.HasWorker;

    public Task<SummaryProgress?> Progress(Guid id, CancellationToken cancellationToken) =>
        _services.Summaries.ReadProgress(id, cancellationToken);

    public Task<SummaryView?> Summary(Guid id, CancellationToken cancellationToken) => _services.Summaries.Read(id, cancellationToken);

    public async Task Submit(SummarizePages summary, CancellationToken cancellationToken)
    {
        var taken = SummaryIntake.Read(summary, summary.Id!.Value, tenant: null, clock.GetUtcNow().UtcDateTime);
        if (taken.Refusal is { } refusal)
            throw new RefusalException(refusal);
        await _services.Submissions.Submit(taken, cancellationToken);
    }

    public Task Submit(IReadOnlyList<LlmTask> tasks, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        return _services.Submissions.Submit([.. tasks.Select(task => TaskIntake.Read(task, task.Id!.Value, tenant: null, now))],
            cancellationToken);
    }

    public Task<TaskView?> Find(Guid id, CancellationToken cancellationToken) => _services.Tasks.Read(id, cancellationToken);

    public async Task<IReadOnlyDictionary<Guid, string>> States(IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken) =>
        (await _services.Tasks.Known(ids, cancellationToken)).ToDictionary(pair => pair.Key, pair => pair.Value.State);

    public Task<QueueView> Queue(CancellationToken cancellationToken) => _services.Queue.Read(cancellationToken);

    public Task SetBudget(string scope, string period, decimal? limitUsd, CancellationToken cancellationToken) =>
        _services.Budgets.Set(scope, period, limitUsd, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await process.DisposeAsync();
        log.Dispose();
    }
}
