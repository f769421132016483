namespace LlmQueue.Storage.Batches;

/// <summary>Wakes who moves batches in this process: one was created or canceled somewhere, or brought a step further here.</summary>
public sealed class BatchBell
{
    private readonly SemaphoreSlim _bell = new(0, 1);

    public void Send()
    {
        try
        {
            if (_bell.CurrentCount == 0)
                _bell.Release();
        }
        catch (SemaphoreFullException)
        {
            // It has been rung in the same moment: one ring is enough.
        }
    }

    public Task Wait(TimeSpan longest, CancellationToken cancellationToken) => _bell.WaitAsync(longest, cancellationToken);
}
