using System.Diagnostics;

namespace LlmQueue.Tests.Harness;

/// <summary>The one place where a test waits for something that announces itself to nobody: it asks again, up to a ceiling.</summary>
public static class Eventually
{
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(25);

    public static Task True(string what, TimeSpan within, Func<Task<bool>> holds) =>
        Found<object>(what, within, async () => await holds() ? what : null);

    public static Task True(string what, TimeSpan within, Func<bool> holds) =>
        True(what, within, () => Task.FromResult(holds()));

    /// <summary>What <paramref name="look"/> finds, once it finds something; what it last complained of is part of the message.</summary>
    public static async Task<T> Found<T>(string what, TimeSpan within, Func<Task<T?>> look)
        where T : class
    {
        var cancel = TestContext.Current.CancellationToken;
        var began = Stopwatch.GetTimestamp();
        Exception? last;
        do
        {
            try
            {
                if (await look() is { } found)
                {
                    return found;
                }

                last = null;
            }
            catch (Exception problem) when (problem is not OperationCanceledException || !cancel.IsCancellationRequested)
            {
                last = problem;
            }

            await Task.Delay(BetweenLooks, TimeProvider.System, cancel);
        } while (Stopwatch.GetElapsedTime(began) < within);

        throw new TimeoutException(
            $"Not within {within.TotalSeconds:0.#} s: {what}." + (last is null ? "" : $" Last seen: {last.GetType().Name}: {last.Message}"),
            last);
    }
}
