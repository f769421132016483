using System.Net;
using System.Net.Sockets;

namespace LlmQueue.Embedded.Hosting;

/// <summary>Checks that the API's port is free before anything is started.</summary>
internal static class PortCheck
{
    public static bool IsFree(Uri listen)
    {
        var address = IPAddress.TryParse(listen.Host.Trim('[', ']'), out var ip) ? ip : IPAddress.Loopback;
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            socket.Bind(new IPEndPoint(address, listen.Port));
            socket.Listen();
            return true;
        }
        catch (SocketException fault) when (fault.SocketErrorCode is SocketError.AddressAlreadyInUse)
        {
            return false;
        }
        catch (SocketException)
        {
            // Not ours to bind for another reason; the server itself will say it better.
            return true;
        }
    }

    public static string InUse(Uri listen) =>
        $"LLMQUEUE_URL is {listen}, but another program listens on port {listen.Port} already. Stop that one, "
            + $"or set LLMQUEUE_URL to another port, for example http://127.0.0.1:{(listen.Port < 65535 ? listen.Port + 1 : 8080)}.";
}
