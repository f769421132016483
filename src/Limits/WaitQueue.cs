namespace LlmQueue.Limits;

/// <summary>
/// A wait queue: tasks that wait for capacity in the same buckets, in order of preference unless it is load-balanced. Within it tasks are
/// ordered by priority class, then by start-time fair queueing among tenants.
/// </summary>
public sealed class WaitQueue
{
    public string Id { get; set; } = "";
    /// <summary>Bucket ids, separated by a space.</summary>
    public string Buckets { get; set; } = "";
    public bool Spread { get; set; }

    public IReadOnlyList<string> BucketIds => Buckets.Split(' ');

    /// <summary>The wait queue of these buckets: the same buckets in the same order are the same queue in every process.</summary>
    public static WaitQueue Of(IReadOnlyList<string> buckets, bool spread)
    {
        var text = string.Join(' ', buckets);
        var hash = System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes((spread ? "~" : ">") + text));
        return new WaitQueue { Id = Convert.ToHexStringLower(hash, 0, 8), Buckets = text, Spread = spread };
    }
}
