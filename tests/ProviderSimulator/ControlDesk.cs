using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ProviderSimulator.Faults;
using ProviderSimulator.Record;
using ProviderSimulator.Settings;
using ProviderSimulator.Wire;

namespace ProviderSimulator;

/// <summary>Everything under /_sim: what a test tells the provider and asks of it. No provider has these.</summary>
internal sealed class ControlDesk(Provider provider)
{
    public async Task Answer(HttpContext context)
    {
        try
        {
            var answering = (context.Request.Method, context.Request.Path.Value) switch
            {
                ("POST", "/_sim/faults") => PostFault(context),
                ("GET", "/_sim/faults") => Reply(context, provider.Faults.WriteTo),
                ("DELETE", "/_sim/faults") => RemoveFaults(context),
                ("GET", "/_sim/log") => ReplyLog(context),
                ("GET", "/_sim/stats") => ReplyStatistics(context),
                ("POST", "/_sim/config") => ChangeSettings(context),
                ("POST", "/_sim/reset") => Reset(context),
                ("GET", "/_sim/health") => Done(context),
                var (method, path) => throw new FormatException(
                    $"Found {method} {path}, expected POST|GET|DELETE /_sim/faults, GET /_sim/log, GET /_sim/stats, "
                        + "POST /_sim/config or POST /_sim/reset."),
            };
            await answering;
        }
        catch (Exception error) when (error is JsonException or FormatException or ArgumentException)
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            await Reply(context, writer => WriteError(writer, error.Message));
        }
    }

    private async Task PostFault(HttpContext context)
    {
        var script = await Read(context, FaultJson.Default.FaultScript);
        var id = provider.Faults.Post(script);
        await Reply(context, writer => WriteId(writer, id));
    }

    private async Task RemoveFaults(HttpContext context)
    {
        provider.Faults.Remove(Number(context, "id") is { } id ? (int)id : null);
        await Done(context);
    }

    private async Task ChangeSettings(HttpContext context)
    {
        provider.Change(await Read(context, SettingsJson.Default.SettingsChange));
        await Done(context);
    }

    private Task Reset(HttpContext context)
    {
        provider.Reset();
        return Done(context);
    }

    private async Task ReplyStatistics(HttpContext context)
    {
        var calls = await provider.Log.SettledSince(0);
        await Reply(context, writer => Statistics.Write(writer, provider.Log, calls, provider.Accounts, provider.Settings));
    }

    // Written piece by piece: after a benchmark there are hundreds of thousands of them.
    private async Task ReplyLog(HttpContext context)
    {
        const int CallsPerFlush = 500;
        context.Response.ContentType = "application/json";
        var body = context.Response.BodyWriter;
        var calls = await provider.Log.SettledSince(Number(context, "since") ?? 0);
        await using var writer = JsonText.Over(body);
        writer.WriteStartArray();
        for (var at = 0; at < calls.Length; at++)
        {
            writer.WriteStartObject();
            calls[at].WriteArrival(writer);
            calls[at].WriteEnd(writer);
            writer.WriteEndObject();
            if (at % CallsPerFlush == CallsPerFlush - 1)
            {
                await writer.FlushAsync();
                await body.FlushAsync();
            }
        }

        writer.WriteEndArray();
    }

    private static long? Number(HttpContext context, string name) =>
        context.Request.Query.TryGetValue(name, out var text) ? long.Parse(text.ToString(), CultureInfo.InvariantCulture) : null;

    private static async Task<T> Read<T>(HttpContext context, JsonTypeInfo<T> type)
        where T : class =>
        await JsonSerializer.DeserializeAsync(context.Request.Body, type)
            ?? throw new FormatException("Found null, expected a JSON object.");

    private static Task Done(HttpContext context) => Reply(context, static writer =>
    {
        writer.WriteStartObject();
        writer.WriteBoolean("ok", true);
        writer.WriteEndObject();
    });

    private static void WriteId(Utf8JsonWriter writer, int id)
    {
        writer.WriteStartObject();
        writer.WriteNumber("id", id);
        writer.WriteEndObject();
    }

    private static void WriteError(Utf8JsonWriter writer, string message)
    {
        writer.WriteStartObject();
        writer.WriteString("error", message);
        writer.WriteEndObject();
    }

    public static async Task Reply(HttpContext context, Action<Utf8JsonWriter> write)
    {
        var body = JsonText.Bytes(write);
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.Length;
        await context.Response.BodyWriter.WriteAsync(body);
    }
}
