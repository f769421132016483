using Npgsql;

namespace LlmQueue.Hosting.Settings;

/// <summary>Reads the URLs among the settings. None is ever printed as found where it may hold a password.</summary>
internal static class ServerUrls
{
    public static string? Database(SettingsReader reader)
    {
        const string expected = "expected postgres://user:password@host:port/name, or an Npgsql string such as "
            + "'Host=localhost;Database=queue;Username=queue;Password=…'";
        if (reader.Text("DATABASE_URL") is not { } text)
            return null;
        try
        {
            if (!text.Contains("://", StringComparison.Ordinal))
            {
                var given = new NpgsqlConnectionStringBuilder(text);
                if (string.IsNullOrEmpty(given.Host))
                    reader.Refuse($"DATABASE_URL names no host; {expected}.");
                return given.ConnectionString;
            }
            if (UrlParts.TryRead(text, ["postgres", "postgresql"], out var parts, out var problem))
                return Npgsql(parts).ConnectionString;
            reader.Refuse($"DATABASE_URL {problem}; {expected}.");
        }
        catch (Exception fault)
            when (fault is ArgumentException or FormatException or InvalidCastException or OverflowException or KeyNotFoundException)
        {
            // Npgsql names the option, which is no secret, and sometimes the value, which may be one.
            reader.Refuse("DATABASE_URL has an option that Npgsql does not "
                + $"take{(fault is ArgumentException { ParamName: { } option } ? $" ({option})" : "")}; {expected}.");
        }
        return null;
    }

    public static (Uri Url, RabbitMqAddress Address)? Broker(SettingsReader reader)
    {
        const string expected = "expected amqp://user:password@host:port/vhost, or amqps:// for TLS";
        if (reader.Text("RABBITMQ_URL") is not { } text)
            return null;
        if (!UrlParts.TryRead(text, ["amqp", "amqps"], out var parts, out var problem))
        {
            reader.Refuse($"RABBITMQ_URL {problem}; {expected}.");
            return null;
        }
        if (parts.Host.Length == 0)
        {
            reader.Refuse($"RABBITMQ_URL names no host; {expected}.");
            return null;
        }
        var tls = parts.Scheme == "amqps";
        var address = new RabbitMqAddress(parts.Host, parts.Port ?? (tls ? 5671 : 5672), parts.Path.Length == 0 ? "/" : parts.Path,
            parts.User ?? "guest", parts.Password ?? "guest", tls);
        var host = address.Host.Contains(':') ? $"[{address.Host}]" : address.Host;
        var url = $"{parts.Scheme}://{Uri.EscapeDataString(address.User)}:{Uri.EscapeDataString(address.Password)}@{host}:"
            + $"{address.Port}/{Uri.EscapeDataString(address.VirtualHost)}";
        if (Uri.TryCreate(url, UriKind.Absolute, out var uri))
            return (uri, address);
        reader.Refuse($"RABBITMQ_URL has a host that is none; {expected}.");
        return null;
    }

    public static Uri Listen(SettingsReader reader)
    {
        const string standard = "http://127.0.0.1:8080";
        var text = reader.Text("LLMQUEUE_URL") ?? standard;
        // Kestrel's ways of writing "every address"; no URL parser takes them.
        var readable = text.Replace("://*", "://0.0.0.0", StringComparison.Ordinal).Replace("://+", "://0.0.0.0", StringComparison.Ordinal);
        if (Uri.TryCreate(readable, UriKind.Absolute, out var url) && url.Scheme == Uri.UriSchemeHttp
            && url.PathAndQuery == "/" && url.Host.Length > 0 && url.UserInfo.Length == 0)
            return url;
        reader.Refuse(
            $"LLMQUEUE_URL is '{text}'; expected http://host:port without a path, for example {standard}. For https put a proxy in front.");
        return new Uri(standard);
    }

    public static Uri Http(SettingsReader reader, string name, string standard)
    {
        var text = (reader.Text(name) ?? standard).TrimEnd('/');
        if (Uri.TryCreate(text, UriKind.Absolute, out var url)
            && (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps)
            && url.Host.Length > 0
            && url.UserInfo.Length == 0
            && url.Query.Length == 0)
            return url;
        reader.Refuse($"{name} is {(text.Contains('@') ? "an address with a user or password in it" : $"'{text}'")}; "
            + $"expected the OpenAI-compatible root, for example {standard}.");
        return new Uri(standard);
    }

    private static NpgsqlConnectionStringBuilder Npgsql(UrlParts parts)
    {
        var builder = new NpgsqlConnectionStringBuilder { Host = parts.Host.Length > 0 ? parts.Host : "localhost" };
        if (parts.Port is { } port)
            builder.Port = port;
        if (parts.User is not null)
            builder.Username = parts.User;
        if (parts.Password is not null)
            builder.Password = parts.Password;
        if (parts.Path.Length > 0)
            builder.Database = parts.Path;
        foreach (var (name, value) in parts.Options)
            // libpq's names where they differ from Npgsql's; hosted databases hand out URLs with them.
            builder[name switch
            {
                "sslmode" => "SSL Mode", "channel_binding" => "Channel Binding", "application_name" => "Application Name",
                "connect_timeout" => "Timeout", "sslrootcert" => "Root Certificate", "target_session_attrs" => "Target Session Attributes",
                _ => name,
            }] = name is "sslmode" ? value.Replace("-", "", StringComparison.Ordinal) : value;
        return builder;
    }
}
