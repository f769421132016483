using System.Net;
using LlmQueue.Api.Wire;
using Microsoft.AspNetCore.Http.Features;

namespace LlmQueue.Api.Access;

/// <summary>Marks an endpoint that needs no token: health checks.</summary>
public sealed class OpenToEverybody;

/// <summary>Authorization for every route that is not marked as open, unknown addresses included.</summary>
public static class AccessGate
{
    private const string Bearer = "Bearer ";
    private static readonly string[] ProxyHeaders =
        ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via", "CF-Connecting-IP", "True-Client-IP"];

    public static void UseAccessGate(this WebApplication app) => app.Use(async (context, next) =>
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<OpenToEverybody>() is null)
        {
            var callers = context.RequestServices.GetRequiredService<Callers>();
            var own = OfTheInstallation(context, callers);
            var caller = own ?? (callers.AreLocal ? AtTheMachine(context) : WithToken(context, callers));
            context.Features.Set(caller);
            // A command polls as often as it redraws its progress; that must not use up the request limit of the tenant it works for.
            if (own is null)
                context.RequestServices.GetRequiredService<RequestLimit>().Take(context, caller.Tenant);
            if (caller.ReadsOnly && !HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method))
                throw new ProblemException(new Problem(StatusCodes.Status403Forbidden, "read-only", "The token may only read",
                    $"The token of '{caller.Tenant}' is one of LLMQUEUE_READ_TOKENS and may only GET; "
                        + $"{context.Request.Method} needs one of LLMQUEUE_TOKENS."));
        }

        await next(context);
    });

    public static Caller Caller(this HttpContext context) => context.Features.GetRequiredFeature<Caller>();

    /// <summary>
    /// Authenticates a command of this installation by its secret. It is accepted from this machine only, so that a copy of it is of no use
    /// elsewhere; a page in a browser cannot have it.
    /// </summary>
    private static Caller? OfTheInstallation(HttpContext context, Callers callers)
    {
        var header = context.Request.Headers.Authorization.ToString();
        if (!header.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) || !callers.IsInstallation(header[Bearer.Length..].Trim()))
            return null;
        var (connection, headers) = (context.Connection, context.Request.Headers);
        // Whoever calls an address of this machine from that same address is here as well.
        var here = connection.RemoteIpAddress is { } remote && (IsLoopback(remote) || remote.Equals(connection.LocalIpAddress));
        if (!here || ComesThroughProxy(headers))
            throw Elsewhere("The token is that of the installation's own commands, which counts on the queue's own machine alone; "
                + "call with a secret of LLMQUEUE_TOKENS.");
        return new Caller("default", SeesAll: true);
    }

    private static Caller WithToken(HttpContext context, Callers callers)
    {
        var header = context.Request.Headers.Authorization.ToString();
        if (header.Length == 0)
            throw Unknown(context, "Bearer realm=\"llmqueue\"",
                "The call has no token; expected the header 'Authorization: Bearer …' with a secret of LLMQUEUE_TOKENS.");
        if (!header.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) || callers.Of(header[Bearer.Length..].Trim()) is not { } caller)
            throw Unknown(context, "Bearer realm=\"llmqueue\", error=\"invalid_token\"",
                "The token is not one of LLMQUEUE_TOKENS; expected the header 'Authorization: "
                    + "Bearer …' with the secret alone, without its name.");
        return caller;
    }

    private static ProblemException Unknown(HttpContext context, string challenge, string detail)
    {
        context.Response.Headers.WWWAuthenticate = challenge;
        return new ProblemException(new Problem(StatusCodes.Status401Unauthorized, "unauthorized", "Who calls is not known", detail));
    }

    /// <summary>
    /// Authenticates a caller on this machine: the connection is local, and so is its client, not a page in a browser nor a proxy for
    /// somebody else.
    /// </summary>
    private static Caller AtTheMachine(HttpContext context)
    {
        var (request, remote) = (context.Request, context.Connection.RemoteIpAddress);
        if (remote is null || !IsLoopback(remote))
            throw Elsewhere(
                "The call comes from another machine, and LLMQUEUE_TOKENS is not set. Set it to 'name:secret' to let others in.");
        if (ComesThroughProxy(request.Headers))
            throw Elsewhere("The call comes through a proxy, and LLMQUEUE_TOKENS is not set. Set it to 'name:secret' to let others in.");
        if (!IsHere(request.Host.Host))
            throw Elsewhere($"The call is addressed to '{request.Host.Host}', and LLMQUEUE_TOKENS is not set. "
                + "Call 127.0.0.1 or localhost, or set LLMQUEUE_TOKENS to 'name:secret'.");
        if (request.Headers.Origin.ToString() is { Length: > 0 } origin
            && !(Uri.TryCreate(origin, UriKind.Absolute, out var page) && IsHere(page.Host)))
            throw Elsewhere("The call is made by a web page from elsewhere, and LLMQUEUE_TOKENS is not set. "
                + "Call from this machine, or set LLMQUEUE_TOKENS to 'name:secret'.");
        return new Caller("default", SeesAll: true);
    }

    /// <summary>Any of the headers that reverse proxies add: then the connection is the proxy's, and the caller may be anywhere.</summary>
    private static bool ComesThroughProxy(IHeaderDictionary headers) => Array.Exists(ProxyHeaders, headers.ContainsKey);

    private static ProblemException Elsewhere(string detail) =>
        new(new Problem(StatusCodes.Status403Forbidden, "forbidden", "Only this machine may call", detail));

    private static bool IsLoopback(IPAddress address) => IPAddress.IsLoopback(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address);

    private static bool IsHere(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));
}
