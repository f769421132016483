using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Loops;
using LlmQueue.Storage.Outbox;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.Scheduling;

/// <summary>
/// The capacity scheduler: grants capacity to waiting tasks. One scheduler leads among all workers (an advisory lock that dies with its
/// connection). It sleeps until the next opening it knows of, or until it is woken; then it books just as many tasks as fit and sends a
/// command to those alone. No other task wakes and nobody polls.
/// </summary>
public sealed class CapacityScheduler(
    SchedulerLeadership leadership, SchedulingCycle cycle, BatchFeeder feed, CommandSender commandSender, WorkerOptions options,
    TimeProvider clock, ILogger<CapacityScheduler> logger) : BackgroundService, IHostedLifecycleService
{
    // A wake-up can be lost with its connection; then this sweep finds the wait queue.
    private static readonly TimeSpan LongestSleep = TimeSpan.FromSeconds(5);
    private readonly Signal _work = new();
    private volatile bool _leads;

    /// <summary>
    /// True while this worker's scheduler leads: what one worker of all has to do is done here, without another lock. A dead worker's
    /// leadership ends with its connection.
    /// </summary>
    public bool Leads => _leads;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await Lead(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                if (e is NotTakenException)
                    logger.LogWarning(
                        "The broker does not take commands; this capacity scheduler steps down, so that another worker may lead.");
                else if (e is LeadershipLostException || DatabaseFaults.IsPassing(e))
                    logger.LogInformation("The capacity scheduler cannot go on ({Reason}) and tries to lead again.", e.Message);
                else
                    logger.LogError(e, "A scheduling cycle failed; it begins again.");
                try
                {
                    await Task.Delay(TimeSpan.FromSeconds(1), clock, stoppingToken);
                }
                catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
                {
                    return;
                }
            }
        }
    }

    /// <summary>
    /// Stops first of all: capacity that is booked while the bus stops is booked for a task that gets no command. Another worker leads
    /// meanwhile.
    /// </summary>
    public Task StoppingAsync(CancellationToken cancellationToken) => StopAsync(cancellationToken);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task Lead(CancellationToken cancellationToken)
    {
        await using var term = await leadership.Win(_work, cancellationToken);
        logger.LogInformation("This worker's capacity scheduler leads.");
        _leads = true;
        try
        {
            while (true)
            {
                term.Lost.ThrowIfCancellationRequested();
                var began = clock.GetUtcNow().UtcDateTime;
                var result = await cycle.Run(term.Lost);
                await SendOrStepDown(result.Commands, term.Lost);
                var (fed, lookAgain) = await feed.Feed(term.Lost);
                await SendOrStepDown(fed, term.Lost);
                await Sleep(began, result.NextOpening is { } opening && (lookAgain is null || opening < lookAgain) ? opening : lookAgain,
                    term.Lost);
            }
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new LeadershipLostException(e);
        }
        finally
        {
            _leads = false;
        }
    }

    /// <summary>
    /// A leader that has the database and not the broker would book capacity and tell no task, for as long as it leads; another worker may
    /// reach the broker.
    /// </summary>
    private async Task SendOrStepDown(IReadOnlyCollection<object> commands, CancellationToken cancellationToken)
    {
        if (!await commandSender.Send(commands, cancellationToken))
            throw new NotTakenException();
    }

    /// <summary>At least a tick, so that openings a moment apart share a cycle; at most until the next opening.</summary>
    private async Task Sleep(DateTime began, DateTime? nextOpening, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var until = nextOpening is { } opening && opening - now < LongestSleep ? opening : now + LongestSleep;
        if (until - now > TimeSpan.Zero)
            await _work.Wait(until - now, cancellationToken);
        var rest = began + options.Tick - clock.GetUtcNow().UtcDateTime;
        if (rest > TimeSpan.Zero)
            await Task.Delay(rest, clock, cancellationToken);
    }

    private sealed class NotTakenException() : Exception("The broker did not take the commands.");
}
