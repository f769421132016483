namespace LlmQueue.Storage.Loops;

/// <summary>
/// A wake-up signal for a loop of this process: an auto-reset event that can be awaited. Setting it twice before anybody waits wakes once,
/// as the loop looks at everything there is.
/// </summary>
public class Signal
{
    private readonly Lock _setting = new();
    private readonly SemaphoreSlim _set = new(0, 1);

    public void Set()
    {
        // Without the lock two setters could both find it unset and release it twice, which the semaphore refuses.
        lock (_setting)
        {
            if (_set.CurrentCount == 0)
                _set.Release();
        }
    }

    /// <summary>Returns when it is set, or after <paramref name="longest"/>: a loop looks by itself from time to time.</summary>
    public Task Wait(TimeSpan longest, CancellationToken cancellationToken) => _set.WaitAsync(longest, cancellationToken);
}

/// <summary>The process's one signal that there is work on rows of a kind.</summary>
/// <typeparam name="TRow">The rows: it tells a container's signals apart.</typeparam>
public sealed class Signal<TRow> : Signal;
