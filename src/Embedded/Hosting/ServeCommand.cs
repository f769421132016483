using LlmQueue.Store;

namespace LlmQueue.Embedded.Hosting;

/// <summary>Starts everything and stays until it is told to stop.</summary>
internal static class ServeCommand
{
    public static async Task<int> Run(CancellationToken stop)
    {
        var installation = Installation.Read();
        if (!PortCheck.IsFree(installation.Settings.ListenUrl))
            throw new RefusalException(PortCheck.InUse(installation.Settings.ListenUrl));
        try
        {
            await using var process = await OneProcess.Start(installation, new ProcessParts(WithApi: true, WithWorker: true, logging => logging.AddQueueConsole()), Console.Error.WriteLine, stop);
            if (process.Installation.IsSimulated)
                Console.WriteLine(Banner.Simulated);
            foreach (var line in Banner.Of(process.Installation))
                Console.WriteLine(line);
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            Console.WriteLine("Stopped.");
        }

        return ExitCodes.Done;
    }
}
