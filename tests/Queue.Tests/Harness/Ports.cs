using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace LlmQueue.Tests.Harness;

internal static class Ports
{
    /// <summary>
    /// A port that nobody listens on. It lies below the range that outgoing connections are given, so that a server which was stopped
    /// finds it free again when it comes back.
    /// </summary>
    public static int Free()
    {
        while (true)
        {
            var port = RandomNumberGenerator.GetInt32(16_000, 32_000);
            using var listener = new TcpListener(IPAddress.Loopback, port);
            try
            {
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken: another number.
            }
        }
    }
}
