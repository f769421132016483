using System.Net;
using System.Net.Sockets;

namespace LlmQueue.Hosting.Http;

/// <summary>
/// The HTTP client for addresses that tenants name (a guard against server-side request forgery). The name is resolved here and the
/// connection is made to the very address that was checked, so a name that resolves differently a moment later gains nothing; redirects are
/// not followed automatically, and no proxy of the environment is used.
/// </summary>
public sealed class OutboundHttp : IDisposable
{
    private readonly HashSet<string> _trusted;
    private readonly Func<string, CancellationToken, Task<IPAddress[]>> _resolve;

    /// <param name="privateHosts">Hosts of one's own network that may be called all the same, as they stand in an address.</param>
    /// <param name="resolve">A name's addresses; left out: as the machine knows them.</param>
    public OutboundHttp(IEnumerable<string> privateHosts, Func<string, CancellationToken, Task<IPAddress[]>>? resolve = null)
    {
        _resolve = resolve ?? Dns.GetHostAddressesAsync;
        _trusted = new HashSet<string>(privateHosts, StringComparer.OrdinalIgnoreCase);
        Client = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false, UseProxy = false, UseCookies = false, ConnectTimeout = TimeSpan.FromSeconds(10),
            PooledConnectionLifetime = TimeSpan.FromMinutes(1),
            MaxResponseHeadersLength = 32, ConnectCallback = Connect,
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    public HttpClient Client { get; }

    /// <summary>
    /// Why an address cannot be called at all, as a sentence; null when it may be. What its name leads to is only known when it is called.
    /// </summary>
    public string? WhyNot(Uri url)
    {
        if (!url.IsAbsoluteUri || url.Scheme is not ("http" or "https"))
            return $"'{url}' is not an absolute http or https address.";
        if (url.UserInfo.Length > 0)
            return "The address carries a user or a password; expected one without.";
        return IPAddress.TryParse(url.IdnHost.Trim('[', ']'), out var address)
            && !_trusted.Contains(url.IdnHost)
            && !PublicAddressRule.IsPublic(address)
            ? Private(url.IdnHost)
            : null;
    }

    public void Dispose() => Client.Dispose();

    private async ValueTask<Stream> Connect(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var host = context.DnsEndPoint.Host;
        var addresses = await _resolve(host, cancellationToken);
        var allowed = _trusted.Contains(host) ? addresses : Array.FindAll(addresses, PublicAddressRule.IsPublic);
        // One that leads here and there is not called at all: half of an answer is a way in.
        if (allowed.Length == 0 || allowed.Length < addresses.Length)
            throw new PrivateAddressException(Private(host));
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, context.DnsEndPoint.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static string Private(string host) =>
        $"'{host}' leads into a private network; expected a public address, or name the host in LLMQUEUE_PRIVATE_HOSTS.";
}

/// <summary>The address is not allowed for tenants; the message says why.</summary>
public sealed class PrivateAddressException(string message) : Exception(message);
