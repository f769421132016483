namespace LlmQueue.Limits;

/// <summary>A line of waiting tasks: the buckets that may serve it, in order of preference unless it spreads.</summary>
public sealed class WaitQueue
{
    public string Id { get; set; } = "";
    /// <summary>Bucket ids, separated by a space.</summary>
    public string Buckets { get; set; } = "";
    public bool Spread { get; set; }

    public IReadOnlyList<string> BucketIds => Buckets.Split(' ');

    /// <summary>The line of these buckets: the same buckets in the same order are the same line in every process.</summary>
    public static WaitQueue Of(IReadOnlyList<string> buckets, bool spread)
    {
        var text = string.Join(' ', buckets);
        var hash = System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes((spread ? "~" : ">") + text));
        return new WaitQueue { Id = Convert.ToHexStringLower(hash, 0, 8), Buckets = text, Spread = spread };
    }
}
