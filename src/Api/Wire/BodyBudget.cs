namespace LlmQueue.Api.Wire;

/// <summary>
/// How many bytes of request bodies one process holds in memory at once. What is read of a body takes a multiple of its size until it is
/// rows, so without a common limit a few large requests together end the process.
/// </summary>
public sealed class BodyBudget
{
    /// <summary>Two of the largest bodies, and many ordinary ones.</summary>
    public const long MostBytes = 2 * JsonBody.LargestBody;

    private const int RetryAfterSeconds = 5;
    private long _taken;

    /// <summary>Bytes held now.</summary>
    public long Taken => Interlocked.Read(ref _taken);

    /// <summary>Counts bytes that have arrived; they are given back when the request is over.</summary>
    /// <exception cref="ProblemException">503: the bodies of other requests fill the memory that is set aside for them.</exception>
    public void Take(HttpContext context, int bytes)
    {
        var share = context.Features.Get<Share>();
        if (share is null)
        {
            share = new Share(this);
            context.Features.Set(share);
            context.Response.RegisterForDispose(share);
        }

        share.Bytes += bytes;
        if (Interlocked.Add(ref _taken, bytes) <= MostBytes)
            return;
        throw new ProblemException(Problem.Unavailable(
            $"The bodies of the requests that are read now fill the {MostBytes >> 20} MB set aside "
                + "for them; send this one again soon.") with
        {
            RetryAfter = RetryAfterSeconds,
        });
    }

    private sealed class Share(BodyBudget budget) : IDisposable
    {
        public long Bytes { get; set; }

        public void Dispose() => Interlocked.Add(ref budget._taken, -Bytes);
    }
}
