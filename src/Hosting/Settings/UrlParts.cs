using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace LlmQueue.Hosting.Settings;

/// <summary>
/// A server's URL, percent-decoded. Not <see cref="Uri"/>: that one stops at the '#' or '/' of an unencoded password and then blames the
/// port, and it does not tell "/" from "/%2F", which are two virtual hosts.
/// </summary>
internal sealed record UrlParts(
    string Scheme, string? User, string? Password, string Host, int? Port, string Path, IReadOnlyList<KeyValuePair<string, string>> Options)
{
    public override string ToString() => $"{Scheme}://{Host}:{Port}/{Path}";

    /// <param name="text">The URL.</param>
    /// <param name="schemes">The schemes that are taken.</param>
    /// <param name="parts">What it says.</param>
    /// <param name="problem">What is wrong, to stand after the variable's name; never holds what may be a password.</param>
    public static bool TryRead(
        string text, string[] schemes, [NotNullWhen(true)] out UrlParts? parts, [NotNullWhen(false)] out string? problem)
    {
        (parts, problem) = (null, null);
        var end = text.IndexOf("://", StringComparison.Ordinal);
        var scheme = end > 0 ? text[..end].ToLowerInvariant() : "";
        if (!schemes.Contains(scheme))
        {
            problem = end > 0 && scheme.All(char.IsAsciiLetterOrDigit) ? $"begins with '{scheme}://'" : "has no scheme";
            return false;
        }
        var rest = text[(end + 3)..];
        // The last @ ends the password, whatever else the password holds.
        var at = rest.LastIndexOf('@');
        var (login, place) = at < 0 ? (null, rest) : (rest[..at], rest[(at + 1)..]);
        var (address, options) = Split(place, '?');
        var (server, path) = Split(address, '/');
        if (!TryServer(server, out var host, out var port))
        {
            problem = "has a host or port that is none";
            return false;
        }
        var (user, password) = login is null ? (null, null) : Split(login, ':');
        parts = new UrlParts(scheme, Decode(user), Decode(password), host, port, Decode(path) ?? "",
            [.. (options ?? "").Split('&', StringSplitOptions.RemoveEmptyEntries).Select(Pair)]);
        return true;
    }

    private static bool TryServer(string server, out string host, out int? port)
    {
        (host, port) = (server, null);
        var colon = server.LastIndexOf(':');
        if (server.StartsWith('['))
        {
            var close = server.IndexOf(']');
            if (close < 0)
                return false;
            host = server[1..close];
            colon = close + 1 < server.Length ? close + 1 : -1;
        }
        else if (colon >= 0)
            host = server[..colon];
        if (colon >= 0 && colon < server.Length)
        {
            if (server[colon] != ':'
                || !int.TryParse(server.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                || number is < 1 or > 65535)
                return false;
            port = number;
        }
        return !host.Any(c => char.IsWhiteSpace(c) || c is '#' or '\\');
    }

    private static KeyValuePair<string, string> Pair(string text)
    {
        var (name, value) = Split(text, '=');
        return new(Decode(name)!, Decode(value) ?? "");
    }

    private static (string, string?) Split(string text, char at)
    {
        var index = text.IndexOf(at);
        return index < 0 ? (text, null) : (text[..index], text[(index + 1)..]);
    }

    private static string? Decode(string? text) => text is null ? null : Uri.UnescapeDataString(text);
}
