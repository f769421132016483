namespace LlmQueue.Storage.Webhooks;

/// <summary>Rung by the commit that wrote a webhook, in its own process: whoever wrote it sends it, and others only what was left behind.</summary>
public sealed class WebhookBell
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
