using LlmQueue.Hosting;

namespace LlmQueue.Embedded.Hosting;

/// <summary>The command ./run.sh without arguments: starts everything and runs until it is told to stop.</summary>
internal static class ServeCommand
{
    public static async Task<int> Run(CancellationToken stop)
    {
        var installation = Installation.Read();
        if (!PortCheck.IsFree(installation.Settings.ListenUrl))
            throw new RefusalException(PortCheck.InUse(installation.Settings.ListenUrl));
        try
        {
            await using var process = await OneProcess.Start(installation,
                new ProcessParts(WithApi: true, WithWorker: true, logging => logging.AddQueueConsole()), Terminal.Say, stop);
            if (process.Installation.IsSimulated)
                Terminal.WriteLine(Banner.Simulated);
            foreach (var line in Banner.Of(process.Installation))
                Terminal.WriteLine(line);
            // A loop that met a fault it cannot go on after asks the host to stop. To stay would be worse than to go: calls would be given
            // up as fast as they are made.
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(stop,
                process.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping);
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, ended.Token);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            Terminal.WriteLine("Stopped.");
        }
        catch (OperationCanceledException)
        {
            Terminal.Say("The queue met a fault that it cannot go on after; the log above has it. "
                + "Nothing that was accepted is lost: start it again.");
            return ExitCodes.Failed;
        }

        return ExitCodes.Done;
    }
}
