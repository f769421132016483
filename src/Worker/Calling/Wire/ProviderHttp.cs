namespace LlmQueue.Worker.Calling.Wire;

/// <summary>The HTTP connection pool to all providers, for the calls of all keys.</summary>
public sealed class ProviderHttp : IDisposable
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10), ConnectionLifetime = TimeSpan.FromMinutes(5);

    /// <summary>Without a time-out of its own: each caller owns its own.</summary>
    public HttpClient Client { get; } =
        new(new SocketsHttpHandler
        {
            PooledConnectionLifetime = ConnectionLifetime,
            ConnectTimeout = ConnectTimeout,
            MaxConnectionsPerServer = 1024,
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };

    public void Dispose() => Client.Dispose();
}
