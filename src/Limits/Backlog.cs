using LlmQueue.Contracts;

namespace LlmQueue.Limits;

/// <summary>
/// The backlog of a bucket, by priority class: tokens of the tasks in its wait queues. It is kept with the bucket, so that a wait can be
/// estimated without counting a hundred thousand rows. A task counts in every bucket of its wait queue. Called under the bucket's lock
/// only.
/// </summary>
public static class Backlog
{
    public static void Join(TokenBucket bucket, short priority, double tokens)
    {
        bucket.Waiting++;
        Add(bucket, priority, tokens);
    }

    public static void Leave(TokenBucket bucket, short priority, double tokens)
    {
        if (bucket.Waiting > 1)
            (bucket.Waiting, _) = (bucket.Waiting - 1, Add(bucket, priority, -tokens));
        else
            Clear(bucket);
    }

    /// <summary>Nobody waits: what rounding has left goes as well.</summary>
    public static void Clear(TokenBucket bucket) =>
        (bucket.Waiting, bucket.WaitingTokensInteractive, bucket.WaitingTokensNormal, bucket.WaitingTokensBatch) = (0, 0, 0, 0);

    /// <summary>Tokens of a task's own class.</summary>
    public static double Same(TokenBucket bucket, short priority) => priority switch
    {
        Priorities.Interactive => bucket.WaitingTokensInteractive,
        Priorities.Normal => bucket.WaitingTokensNormal,
        _ => bucket.WaitingTokensBatch,
    };

    /// <summary>Tokens of the classes that go before a task's own.</summary>
    public static double Higher(TokenBucket bucket, short priority) => priority switch
    {
        Priorities.Interactive => 0,
        Priorities.Normal => bucket.WaitingTokensInteractive,
        _ => bucket.WaitingTokensInteractive + bucket.WaitingTokensNormal,
    };

    /// <summary>Tokens of a task of those that wait, on average; 0 when nobody does.</summary>
    public static double Mean(TokenBucket bucket) =>
        bucket.Waiting == 0
            ? 0
            : (bucket.WaitingTokensInteractive + bucket.WaitingTokensNormal + bucket.WaitingTokensBatch) / bucket.Waiting;

    private static double Add(TokenBucket bucket, short priority, double tokens) => priority switch
    {
        Priorities.Interactive => bucket.WaitingTokensInteractive = Math.Max(0, bucket.WaitingTokensInteractive + tokens),
        Priorities.Normal => bucket.WaitingTokensNormal = Math.Max(0, bucket.WaitingTokensNormal + tokens),
        _ => bucket.WaitingTokensBatch = Math.Max(0, bucket.WaitingTokensBatch + tokens),
    };
}
