using LlmQueue.Storage.Loops;

namespace LlmQueue.Api.Wire;

/// <summary>Retries while the database does not answer: a restart is not noticed, an outage gets a clear answer in time.</summary>
public sealed class DatabaseRetry(TimeProvider clock, Preparation preparation)
{
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);
    /// <summary>Ten thousand tasks take longer than one, and longer still where the machine is busy.</summary>
    private static readonly TimeSpan ForEach = TimeSpan.FromMilliseconds(2);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    /// <exception cref="ProblemException">503: it stayed away.</exception>
    public async Task<T> Read<T>(Func<CancellationToken, Task<T>> read, CancellationToken cancellationToken)
    {
        if (!preparation.IsDone)
            throw new ProblemException(Problem.Unavailable(
                "The database has not answered since the start, so nothing can be read or taken in yet. Try again in a moment."));
        using var limit = new CancellationTokenSource(Longest, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            while (true)
            {
                try
                {
                    return await read(either.Token);
                }
                catch (Exception e) when (DatabaseFaults.IsPassing(e) && !either.IsCancellationRequested)
                {
                    await Task.Delay(Pause, clock, either.Token);
                }
            }
        }
        catch (Exception e)
            when (limit.IsCancellationRequested
                && !cancellationToken.IsCancellationRequested
                && (e is OperationCanceledException || DatabaseFaults.IsPassing(e)))
        {
            throw new ProblemException(
                Problem.Unavailable("The database does not answer, and nothing was changed. Try again in a moment."));
        }
    }

    /// <summary>For a write that may still take place after its time is up.</summary>
    /// <exception cref="ProblemException">503: whether it took place is not known.</exception>
    public async Task Write(Func<CancellationToken, Task> write, IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(Longest + (ForEach * ids.Count), clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await write(either.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new ProblemException(Problem.Unavailable("The database went away while the work was being written; "
                + "whether it was taken in is not known. Send it again with the ids in 'ids', and nothing is done twice.") with
            {
                More = new Dictionary<string, object?> { ["ids"] = ids },
            });
        }
    }
}

/// <summary>Tells whether the migrations have been applied since the start; until then there are no tables.</summary>
public sealed class Preparation
{
    private volatile bool _isDone;

    public bool IsDone => _isDone;

    public void Done() => _isDone = true;
}
