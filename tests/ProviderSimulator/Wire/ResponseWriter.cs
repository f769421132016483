using System.Net.Sockets;
using Microsoft.AspNetCore.Connections.Features;
using ProviderSimulator.Limits;
using ProviderSimulator.Record;

namespace ProviderSimulator.Wire;

/// <summary>Puts bytes on the wire and writes down whether anybody was still there to take them.</summary>
internal static class ResponseWriter
{
    public static async Task Send(HttpContext context, CallRecord call, ErrorReply error)
    {
        if (error.RetryAfter is { } wait)
        {
            RateHeaders.RetryAfter(context.Response.Headers, wait);
        }

        foreach (var (name, value) in error.Headers ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            context.Response.Headers[name] = value;
        }

        await Send(context, call, error.Status, error.ContentType, error.Body, error.Outcome);
    }

    public static async Task Send(
        HttpContext context, CallRecord call, int status, string contentType, ReadOnlyMemory<byte> body, string outcome)
    {
        call.Outcome = outcome;
        call.Closing = true;
        Open(context, call, status, contentType);
        context.Response.ContentLength = body.Length;
        await context.Response.BodyWriter.WriteAsync(body);
        await Finish(context, call);
    }

    public static void Open(HttpContext context, CallRecord call, int status, string contentType)
    {
        call.Status = status;
        context.Response.StatusCode = status;
        context.Response.ContentType = contentType;
    }

    public static async Task Finish(HttpContext context, CallRecord call)
    {
        call.Closing = true;
        await context.Response.CompleteAsync();
        call.Delivered = !context.RequestAborted.IsCancellationRequested;
    }

    /// <summary>Ends the connection with a TCP reset: lingering for zero seconds is how a socket is told to.</summary>
    public static void Sever(HttpContext context, CallRecord call)
    {
        call.Closing = true;
        if (context.Features.Get<IConnectionSocketFeature>() is { } connection)
        {
            connection.Socket.LingerState = new LingerOption(enable: true, seconds: 0);
        }

        context.Abort();
    }
}
