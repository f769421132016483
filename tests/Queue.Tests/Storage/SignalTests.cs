using LlmQueue.Storage.Loops;

namespace LlmQueue.Tests.Storage;

public sealed class SignalTests
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task It_wakes_who_waits_and_who_comes_later_and_each_once()
    {
        var signal = new Signal();
        var waiting = signal.Wait(Long, TestContext.Current.CancellationToken);
        signal.Set();
        await waiting;

        signal.Set();
        signal.Set();
        await signal.Wait(Long, TestContext.Current.CancellationToken);

        // Both sets were for one look at the work; nothing is left of them.
        Assert.False(signal.Wait(Long, TestContext.Current.CancellationToken).IsCompleted);
    }

    [Fact]
    public async Task Who_is_not_woken_looks_by_itself_in_the_end()
    {
        var signal = new Signal();

        await signal.Wait(TimeSpan.FromMilliseconds(1), TestContext.Current.CancellationToken);

        signal.Set();
        Assert.True(signal.Wait(Long, TestContext.Current.CancellationToken).IsCompleted);
    }

    [Fact]
    public async Task Any_number_of_setters_at_once_are_one_signal()
    {
        for (var i = 0; i < 200; i++)
        {
            var signal = new Signal();
            await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(signal.Set, TestContext.Current.CancellationToken)));

            Assert.True(signal.Wait(Long, TestContext.Current.CancellationToken).IsCompleted);
            Assert.False(signal.Wait(Long, TestContext.Current.CancellationToken).IsCompleted);
        }
    }
}
