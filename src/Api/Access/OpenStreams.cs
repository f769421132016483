using System.Collections.Concurrent;
using LlmQueue.Api.Wire;

namespace LlmQueue.Api.Access;

/// <summary>
/// How many event streams a tenant has open at this process. Each asks the database again and again, so thousands of one tenant's would
/// slow down everybody's requests.
/// </summary>
public sealed class OpenStreams
{
    /// <summary>More than a dashboard or a service needs that follows its tasks one by one; whoever waits for more has webhooks.</summary>
    public const int MostOfTenant = 200;

    private readonly ConcurrentDictionary<string, int> _open = new(StringComparer.Ordinal);

    /// <summary>Counts one until it is disposed of.</summary>
    /// <exception cref="ProblemException">429: the tenant has as many open as it may.</exception>
    public IDisposable Open(string tenant)
    {
        if (_open.AddOrUpdate(tenant, 1, (_, count) => count + 1) <= MostOfTenant)
            return new Stream(this, tenant);
        Close(tenant);
        throw new ProblemException(new Problem(StatusCodes.Status429TooManyRequests, "too-many-streams", "Too many event streams",
            $"'{tenant}' has {MostOfTenant} event streams open, as many as one tenant may at one process; close some, "
                + "or be told of the end of tasks by webhookUrl.") { RetryAfter = 5 });
    }

    private void Close(string tenant) => _open.AddOrUpdate(tenant, 0, (_, count) => count - 1);

    private sealed class Stream(OpenStreams streams, string tenant) : IDisposable
    {
        private int _isClosed;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _isClosed, 1) == 0)
                streams.Close(tenant);
        }
    }
}
