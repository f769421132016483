namespace LlmQueue.Store.Batches;

/// <summary>Rung when a batch is created, canceled or brought a step further in this process: who moves batches need not wait for the next look at the rows.</summary>
public sealed class BatchBell
{
    private readonly SemaphoreSlim bell = new(0, 1);

    public void Ring()
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
