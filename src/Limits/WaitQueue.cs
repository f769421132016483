namespace LlmQueue.Limits;

/// <summary>
/// A wait queue: tasks that wait for capacity in the same buckets, in order of preference unless it is load-balanced. Within it tasks are
/// ordered by priority class, then by start-time fair queueing among tenants.
/// </summary>
public sealed class WaitQueue
{
    public string Id { get; set; } = "";
    public IdList Buckets { get; set; } = IdList.Of([]);
    /// <summary>True when the buckets are a pool, not an order of preference.</summary>
    public bool LoadBalanced { get; set; }

    public IReadOnlyList<string> BucketIds => Buckets.Ids;

    /// <summary>The line of these buckets: the same buckets in the same order are the same line in every process.</summary>
    public static WaitQueue Of(IReadOnlyList<string> buckets, bool loadBalanced)
    {
        var list = IdList.Of(buckets);
        var hash = System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes($"{(loadBalanced ? "~" : ">")}{list}"));
        return new WaitQueue { Id = Convert.ToHexStringLower(hash, 0, 8), Buckets = list, LoadBalanced = loadBalanced };
    }
}
