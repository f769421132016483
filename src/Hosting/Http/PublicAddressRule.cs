using System.Net;
using System.Net.Sockets;

namespace LlmQueue.Hosting.Http;

/// <summary>
/// Decides which addresses belong to the public internet: an address that a tenant names may lead there, and nowhere into the network of
/// the queue itself.
/// </summary>
public static class PublicAddressRule
{
    // From IANA's registries of special-purpose addresses: everything that is not reachable by everybody.
    private static readonly IPNetwork[] Special =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
            "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "::/96", "::1/128", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7",
            "fe80::/10", "fec0::/10", "ff00::/8",
        }.Select(text => IPNetwork.Parse(text)),
    ];

    private static readonly IPNetwork Translated = IPNetwork.Parse("64:ff9b::/96"), SixToFour = IPNetwork.Parse("2002::/16");

    public static bool IsPublic(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            return IsPublic(address.MapToIPv4());
        // An IPv4 address in the clothes of an IPv6 one leads where it leads without them.
        if (address.AddressFamily == AddressFamily.InterNetworkV6)
        {
            var bytes = address.GetAddressBytes();
            if (Translated.Contains(address))
                return IsPublic(new IPAddress(bytes.AsSpan(12, 4)));
            if (SixToFour.Contains(address))
                return IsPublic(new IPAddress(bytes.AsSpan(2, 4)));
        }

        return !Array.Exists(Special, network => network.Contains(address));
    }
}
