using LlmQueue.Embedded.Hosting;

namespace LlmQueue.Embedded.Clients;

/// <summary>The use that a command opens a client for.</summary>
internal enum ClientUse
{
    /// <summary>To look, or to leave rows behind: no worker is started.</summary>
    Look,

    /// <summary>To stay until the work is done.</summary>
    Work,
}

/// <summary>Opens the client that fits the circumstances.</summary>
internal static class QueueClients
{
    /// <summary>Starts what the command needs; where another process has the data folder, calls that one's API.</summary>
    public static async Task<IQueueClient> Open(Installation installation, ClientUse use, TimeProvider clock, CancellationToken stop)
    {
        var log = new FileLog(installation.LogFile, clock);
        try
        {
            var parts = new ProcessParts(WithApi: false, WithWorker: use == ClientUse.Work, logging => logging.AddQueueFile(log));
            return new InProcessQueueClient(await OneProcess.Start(installation, parts, Terminal.Say, stop), log, clock);
        }
        catch (DataFolderInUseException inUse)
        {
            log.Dispose();
            if (await HttpQueueClient.TryOpen(installation, CliToken.Read(installation.Settings.DataFolder), stop) is not { } running)
                throw new RefusalException(
                    $"{inUse.Message} No API answers at {installation.Settings.ListenUrl}, where it would be asked instead.", inUse);
            Terminal.Say($"The queue runs already; it is asked at {installation.Settings.ListenUrl}.");
            return running;
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }
}
