using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Loops;
using LlmQueue.Storage.Outbox;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.Scheduling;

/// <summary>
/// Opens lines. One Pacer leads among all workers (an advisory lock that dies with its connection). It sleeps until the next opening
/// it knows of, or until the bell of a line rings; then it books just as many tasks as fit and rings for those alone. Nobody else
/// wakes and nobody polls.
/// </summary>
public sealed class CapacityScheduler(
    SchedulerLeadership leadership, SchedulingCycle round, BatchFeeder feed, CommandSender commandSender, WorkerOptions options,
    TimeProvider clock, ILogger<CapacityScheduler> logger) : BackgroundService, IHostedLifecycleService
{
    // A bell can be lost with its connection; then this sweep finds the line.
    private static readonly TimeSpan LongestSleep = TimeSpan.FromSeconds(5);
    private readonly Signal _work = new();
    private volatile bool _leads;

    /// <summary>
    /// True while no other worker's Pacer leads: what one worker of all is to do is done here, without another lock. A dead worker's
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
                if (e is UnheardException)
                    logger.LogWarning("The broker does not hear the Pacer; it steps down, so that another worker may lead.");
                else if (e is LeadershipLostException || DatabaseFaults.IsPassing(e))
                    logger.LogInformation("The Pacer cannot go on ({Reason}) and seeks to lead again.", e.Message);
                else
                    logger.LogError(e, "A round of the Pacer failed; it begins again.");
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
    /// First of all: room that is booked while the bus stops is booked for somebody who is not told. Another worker leads meanwhile.
    /// </summary>
    public Task StoppingAsync(CancellationToken cancellationToken) => StopAsync(cancellationToken);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task Lead(CancellationToken cancellationToken)
    {
        await using var term = await leadership.Win(_work, cancellationToken);
        logger.LogInformation("This worker's Pacer leads.");
        _leads = true;
        try
        {
            while (true)
            {
                term.Lost.ThrowIfCancellationRequested();
                var began = clock.GetUtcNow().UtcDateTime;
                var result = await round.Run(term.Lost);
                await RingOrStepDown(result.Bells, term.Lost);
                var (fed, lookAgain) = await feed.Feed(term.Lost);
                await RingOrStepDown(fed, term.Lost);
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
    /// Who has the database and not the broker would book room and tell nobody, for as long as it leads: another may be better off.
    /// </summary>
    private async Task RingOrStepDown(IReadOnlyCollection<object> bells, CancellationToken cancellationToken)
    {
        if (!await commandSender.Send(bells, cancellationToken))
            throw new UnheardException();
    }

    /// <summary>At least a tick, so that openings a moment apart share a round; at most until the next opening.</summary>
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

    private sealed class UnheardException() : Exception("The broker did not take the bells.");
}
