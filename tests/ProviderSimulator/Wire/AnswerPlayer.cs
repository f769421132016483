using System.Buffers;
using System.Text;
using ProviderSimulator.Answers;
using ProviderSimulator.Faults;
using ProviderSimulator.Record;
using ProviderSimulator.Settings;

namespace ProviderSimulator.Wire;

/// <summary>
/// What an admitted call gets: time to think, then its answer, whole or streamed, with the fault that was scripted for it.
/// </summary>
internal sealed class AnswerPlayer(
    Provider provider, HttpContext context, CallRecord call, ChatRequest request, Answer answer, Fault? fault)
{
    private const string Json = "application/json";

    private string Outcome => fault?.Kind.LogName ?? "answered";

    /// <summary>
    /// Latency, then the time the output takes; a stream spends the latter between its chunks. Ends early when the client leaves.
    /// </summary>
    public async Task Think(ProviderSettings settings)
    {
        var delay = provider.Dice.Roll(settings.Latency) + TimeSpan.FromMilliseconds(fault?.DelayMs ?? 0);
        delay += request.Stream ? TimeSpan.Zero : TimeSpan.FromMilliseconds(settings.PerOutputTokenMs * answer.Tokens);
        if (delay > TimeSpan.Zero)
        {
            await Task.Delay(delay, provider.Time, context.RequestAborted);
        }
    }

    public Task Play(ProviderSettings settings)
    {
        switch (fault?.Kind)
        {
            case FaultKind.Hang:
                return Hang();
            case FaultKind.Reset:
                call.Outcome = Outcome;
                ResponseWriter.Sever(context, call);
                return Task.CompletedTask;
            case FaultKind.Garbage:
                return ResponseWriter.Send(context, call, StatusCodes.Status200OK, "text/html", Page, Outcome);
            default:
                break;
        }

        call.CompletionTokens = answer.Tokens;
        call.AnswerHash = PromptHash.Of(answer.Text);
        var reply = new ChatReply(request, answer, provider.Time.GetUtcNow().ToUnixTimeSeconds());
        return request.Stream ? Stream(reply, settings)
            : fault?.Kind is FaultKind.ErrorIn200 ? ResponseWriter.Send(context, call, StatusCodes.Status200OK, Json, ErrorBody, Outcome)
            : fault?.Kind is FaultKind.Half ? Half(reply.Whole())
            : ResponseWriter.Send(context, call, StatusCodes.Status200OK, Json, reply.Whole(), Outcome);
    }

    private async Task Hang()
    {
        call.Outcome = Outcome;
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, provider.Faults.Generation);
        await Task.Delay(Timeout.InfiniteTimeSpan, provider.Time, end.Token).ContinueWith(static _ => { }, TaskScheduler.Default);
        context.Abort();
    }

    private async Task Half(ReadOnlyMemory<byte> body)
    {
        call.Outcome = Outcome;
        ResponseWriter.Open(context, call, StatusCodes.Status200OK, Json);
        context.Response.ContentLength = body.Length;
        await context.Response.BodyWriter.WriteAsync(body[..(body.Length / 2)]);
        await BreakOff();
    }

    private async Task Stream(ChatReply reply, ProviderSettings settings)
    {
        call.Outcome = Outcome;
        ResponseWriter.Open(context, call, StatusCodes.Status200OK, "text/event-stream");
        var chunks = reply.Chunks().ToList();
        var most = fault?.Kind is FaultKind.Half or FaultKind.ErrorIn200 ? chunks.Count / 2 : chunks.Count;
        var pause = TimeSpan.FromMilliseconds(settings.PerOutputTokenMs * answer.Tokens / chunks.Count);
        for (var at = 0; at < most; at++)
        {
            if (pause > TimeSpan.Zero)
            {
                await context.Response.BodyWriter.FlushAsync();
                await Task.Delay(pause, provider.Time, context.RequestAborted);
            }

            await Event(chunks[at]);
        }

        if (fault?.Kind is FaultKind.Half)
        {
            await BreakOff();
            return;
        }

        // A provider that fails in mid-stream has already said 200: the error comes as an event.
        await Event(fault?.Kind is FaultKind.ErrorIn200 ? ErrorBody : Done);
        await ResponseWriter.Finish(context, call);
    }

    private async Task Event(ReadOnlyMemory<byte> data)
    {
        var writer = context.Response.BodyWriter;
        writer.Write("data: "u8);
        writer.Write(data.Span);
        writer.Write("\n\n"u8);
        if (writer.UnflushedBytes > 16_384)
        {
            await writer.FlushAsync();
        }
    }

    // The pause lets the first half reach the client: an abort throws away what still waits to be sent.
    private async Task BreakOff()
    {
        await context.Response.BodyWriter.FlushAsync();
        await Task.Delay(TimeSpan.FromMilliseconds(20), provider.Time);
        call.Closing = true;
        context.Abort();
    }

    private static readonly ReadOnlyMemory<byte> Done = "[DONE]"u8.ToArray();
    private static readonly ReadOnlyMemory<byte> Page =
        Encoding.UTF8.GetBytes("<html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>");

    private static readonly ReadOnlyMemory<byte> ErrorBody = """{"error":{"message":"Provider returned error","code":429}}"""u8.ToArray();
}
