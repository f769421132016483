using LlmQueue.Contracts;
using LlmQueue.Embedded.Hosting;
using LlmQueue.Storage.Queue;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Embedded.Doors;

/// <summary>The queue as a command sees it: in this process, or in the one that runs already.</summary>
internal interface IQueueDoor : IAsyncDisposable
{
    /// <summary>Answers are made up by the simulator that came along.</summary>
    bool IsSimulated { get; }

    /// <summary>Somebody works on what is handed in here for as long as the door is open.</summary>
    bool HasWorker { get; }

    Task<SummaryProgress?> Progress(Guid id, CancellationToken cancel);

    Task<SummaryView?> Summary(Guid id, CancellationToken cancel);

    /// <summary>Durable when it returns.</summary>
    Task Submit(SummarizePages summary, CancellationToken cancel);

    /// <summary>Durable when it returns; an id that is known changes nothing.</summary>
    Task Submit(IReadOnlyList<LlmTask> tasks, CancellationToken cancel);

    Task<TaskView?> Find(Guid id, CancellationToken cancel);

    /// <summary>The states of those that are known.</summary>
    Task<IReadOnlyDictionary<Guid, string>> States(IReadOnlyCollection<Guid> ids, CancellationToken cancel);

    Task<QueueView> Queue(CancellationToken cancel);

    /// <summary>What may be spent, in US dollars; null lifts the limit.</summary>
    Task SetBudget(string scope, string period, decimal? limitUsd, CancellationToken cancel);
}

/// <summary>What a command opens a door for.</summary>
internal enum DoorUse
{
    /// <summary>To look, or to leave rows behind: no worker is started.</summary>
    Look,

    /// <summary>To stay until the work is done.</summary>
    Work,
}

internal static class QueueDoors
{
    /// <summary>Starts what the command needs; where another process has the data folder, goes through that one's API.</summary>
    public static async Task<IQueueDoor> Open(Installation installation, DoorUse use, TimeProvider clock, Action<string> say, CancellationToken stop)
    {
        var log = new FileLog(installation.LogFile, clock);
        try
        {
            var parts = new ProcessParts(WithApi: false, WithWorker: use == DoorUse.Work, logging => logging.AddQueueFile(log));
            return new OwnDoor(await OneProcess.Start(installation, parts, say, stop), log, clock);
        }
        catch (DataFolderInUseException inUse)
        {
            log.Dispose();
            if (await RunningDoor.TryOpen(installation, stop) is not { } running)
                throw new RefusalException($"{inUse.Message} No API answers at {installation.Settings.ListenUrl}, where it would be asked instead.", inUse);
            say($"The queue runs already; it is asked at {installation.Settings.ListenUrl}.");
            return running;
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }
}
