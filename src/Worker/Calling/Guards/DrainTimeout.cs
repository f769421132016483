using Microsoft.Extensions.Hosting;

namespace LlmQueue.Worker.Calling.Guards;

/// <summary>
/// The drain timeout: how long a worker that is asked to stop waits for its open calls, because they are paid for. It is less than the bus
/// and the host wait, so that the outcome of a call that is given up is still written.
/// </summary>
public sealed class DrainTimeout : IDisposable
{
    private static readonly TimeSpan OpenCallsMayTake = TimeSpan.FromSeconds(25);
    private readonly CancellationTokenSource _over;
    private readonly CancellationTokenRegistration _stopping;

    public DrainTimeout(IHostApplicationLifetime lifetime, TimeProvider clock)
    {
        _over = new CancellationTokenSource(Timeout.InfiniteTimeSpan, clock);
        _stopping = lifetime.ApplicationStopping.Register(() => _over.CancelAfter(OpenCallsMayTake));
    }

    /// <summary>Canceled when open calls are no longer waited for.</summary>
    public CancellationToken IsOver => _over.Token;

    public void Dispose()
    {
        _stopping.Dispose();
        _over.Dispose();
    }
}
