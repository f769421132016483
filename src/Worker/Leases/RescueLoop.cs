using LlmQueue.Storage.Loops;
using LlmQueue.Worker.Scheduling;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.Leases;

/// <summary>
/// Runs the rescuer's sweep, in the worker whose capacity scheduler leads. As a Quartz job it took some thirty statements every five
/// seconds to agree on who sweeps, more than the sweep itself, and a killed worker's turn came back only when its check-in was missed.
/// </summary>
public sealed class RescueLoop(
    Rescuer rescuer, CapacityScheduler scheduler, WorkerOptions options, TimeProvider clock, ILogger<RescueLoop> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.RescueEvery, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
                if (scheduler.Leads)
                    await Sweep(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            logger.LogDebug("The sweeps stop; another worker's go on.");
        }
    }

    private async Task Sweep(CancellationToken cancellationToken)
    {
        try
        {
            await rescuer.Sweep(afterStart: false, cancellationToken);
        }
        catch (Exception e) when (DatabaseFaults.IsPassing(e))
        {
            logger.LogInformation("No sweep now: {Reason}", e.Message);
        }
        catch (Exception e) when (e is not (OutOfMemoryException or OperationCanceledException))
        {
            logger.LogError(e, "A sweep failed; the next one begins anew.");
        }
    }
}
