using LlmQueue.Contracts;
using LlmQueue.Storage.Queue;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Embedded.Clients;

/// <summary>A client of the queue for commands: in this process, or in one that runs already.</summary>
internal interface IQueueClient : IAsyncDisposable
{
    /// <summary>Answers are made up by the simulator that came along.</summary>
    bool IsSimulated { get; }

    /// <summary>Somebody works on what is handed in here for as long as the client is open.</summary>
    bool HasWorker { get; }

    Task<SummaryProgress?> Progress(Guid id, CancellationToken cancellationToken);

    Task<SummaryView?> Summary(Guid id, CancellationToken cancellationToken);

    /// <summary>Durable when it returns.</summary>
    Task Submit(SummarizePages summary, CancellationToken cancellationToken);

    /// <summary>Durable when it returns; an id that is known changes nothing.</summary>
    Task Submit(IReadOnlyList<LlmTask> tasks, CancellationToken cancellationToken);

    Task<TaskView?> Find(Guid id, CancellationToken cancellationToken);

    /// <summary>The states of those that are known.</summary>
    Task<IReadOnlyDictionary<Guid, string>> States(IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken);

    Task<QueueView> Queue(CancellationToken cancellationToken);

    /// <summary>What may be spent, in US dollars; null lifts the limit.</summary>
    Task SetBudget(string scope, string period, decimal? limitUsd, CancellationToken cancellationToken);
}
