using LlmQueue.Worker.Calling.Claiming;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.Calling;

/// <summary>
/// Makes the calls that this worker kept to itself; see <see cref="CallSlots"/>. A stop waits for them before anything else of the host
/// stops, because they are paid for.
/// </summary>
public sealed class LocalCallLoop(
    CallSlots slots, Claims claims, IOutcomeReceiver outcomes, ClaimedCalls calls, ILogger<LocalCallLoop> logger)
    : BackgroundService, IHostedLifecycleService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await foreach (var call in slots.Own.ReadAllAsync(stoppingToken))
                _ = Make(call);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            logger.LogDebug("No more calls are begun; what is claimed and not begun is made again when this worker counts as gone.");
        }
    }

    // Each ends within DrainTimeout, which has begun. A host that waits less goes on stopping: what is open then is called again when this
    // worker counts as gone.
    public async Task StoppingAsync(CancellationToken cancellationToken) =>
        await slots.Close().WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task Make(LocalCall call)
    {
        var (taskId, attempt) = (call.Task.CorrelationId, call.Task.Attempt);
        try
        {
            var isCertain = call is { Claim: not null, IsDoubted: false };
            var claim = isCertain ? call.Claim : await claims.Take(taskId, attempt, call.Claim?.AdmittedAt);
            if (claim is not null)
                await calls.Make(claim, finished => outcomes.Raise(call, finished));
        }
        catch (Exception e)
        {
            // Nobody is told whom a retry would help: the row stays as it is, and the Rescuer takes a call that is open too long for lost.
            logger.LogError(e, "Attempt {Attempt} of task {TaskId} was called, but its outcome could not be written.", attempt, taskId);
        }
        finally
        {
            slots.Made(call.Provider);
        }
    }
}
