using ProviderSimulator.Wire;

namespace ProviderSimulator;

/// <summary>Tells by method and path who answers. By hand, because benchmarks measure the queue and not a router.</summary>
internal sealed class Switchboard(Provider provider)
{
    private readonly ChatEndpoint _chat = new(provider);
    private readonly ControlDesk _control = new(provider);

    public Task Answer(HttpContext context)
    {
        var path = context.Request.Path.Value ?? "";
        if (HttpMethods.IsPost(context.Request.Method) && IsUnder(path, "/v1/chat/completions"))
        {
            return _chat.Answer(context);
        }

        if (path.StartsWith("/_sim/", StringComparison.Ordinal))
        {
            return _control.Answer(context);
        }

        if (HttpMethods.IsGet(context.Request.Method) && IsUnder(path, "/v1/models"))
        {
            return ControlDesk.Reply(context, writer => ModelList.Write(writer, provider.Settings));
        }

        context.Response.StatusCode = StatusCodes.Status404NotFound;
        return Task.CompletedTask;
    }

    // "/v1/…", "/openai/v1/…", "/org-x/v1/…": at most one segment before.
    private static bool IsUnder(string path, string end)
    {
        if (!path.EndsWith(end, StringComparison.Ordinal))
        {
            return false;
        }

        var prefix = path.AsSpan(0, path.Length - end.Length);
        return prefix.IsEmpty || prefix.LastIndexOf('/') == 0;
    }
}
