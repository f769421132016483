namespace LlmQueue.Storage.Batches;

/// <summary>Wakes who moves batches in this process: one was created or canceled somewhere, or brought a step further here.</summary>
public sealed class BatchBell
{
    private readonly SemaphoreSlim bell = new(0, 1);

    public void Send()
    {
        try
        {
            if (bell.CurrentCount == 0)
                bell.Release();
        }
        catch (SemaphoreFullException)
        {
            // It has been rung in the same moment: one ring is enough.
        }
    }

    public Task Wait(TimeSpan longest, CancellationToken cancellationToken) => bell.WaitAsync(longest, cancellationToken);
}
