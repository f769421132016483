using System.Buffers;
using ProviderSimulator.Answers;
using ProviderSimulator.Faults;
using ProviderSimulator.Limits;
using ProviderSimulator.Record;
using ProviderSimulator.Settings;

namespace ProviderSimulator.Wire;

/// <summary>
/// POST …/v1/chat/completions, in the order a provider decides: key, body, model, scripted refusals, context, limits; then the call is
/// charged, thinks for its latency and answers.
/// </summary>
internal sealed class ChatEndpoint(Provider provider)
{
    public async Task Answer(HttpContext context)
    {
        var settings = provider.Settings;
        var key = BearerKey(context.Request);
        var org = settings.OrgOf(key);
        ChatRequest? request;
        string problem;
        try
        {
            var body = await ReadBody(context.Request);
            request = ChatRequestReader.Read(body, out problem);
            context.Request.BodyReader.AdvanceTo(body.End);
        }
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            // Gone before it had asked anything: no call ever arrived.
            return;
        }

        var call = Record(key, org, request);
        provider.Log.Arrive(call);
        try
        {
            var error = key.Length == 0 || !settings.Accepts(key) ? ProviderErrors.InvalidKey
                : request is null ? ProviderErrors.Malformed(problem)
                : null;
            await (error is null
                ? Serve(context, new Admission(request!, key, org, settings, call))
                : Refuse(context, call, error, delayMs: 0));
        }
        catch (OperationCanceledException)
        {
            call.Outcome = call.Outcome is "inFlight" ? "abandoned" : call.Outcome;
        }
        catch (Exception error)
        {
            // A fault of the simulator's own must not look like one of the provider's: it is named where a test reads.
            await Console.Error.WriteLineAsync($"ProviderSimulator: call {call.N} failed: {error}");
            call.Outcome = "simulatorFailed";
            call.Status = StatusCodes.Status500InternalServerError;
            context.Abort();
        }
        finally
        {
            provider.Log.End(call);
        }
    }

    private sealed record Admission(ChatRequest Request, string Key, string Org, ProviderSettings Settings, CallRecord Call);

    private async Task Serve(HttpContext context, Admission admission)
    {
        var (request, key, org, settings, call) = admission;
        if (!settings.Knows(request.Model, out var card))
        {
            await Refuse(context, call, ProviderErrors.UnknownModel(request.Model), delayMs: 0);
            return;
        }

        var account = card is null ? null : provider.Accounts.Of(org, request.Model);
        var refusing = provider.Faults.Take(refusals: true, request, key, org);
        var error = refusing is null ? Turned(request, org, card, account) : FaultRefusals.Reply(refusing, request, org, card);
        if (error is not null)
        {
            Announce(context, account, card, settings);
            await Refuse(context, call, error, refusing?.DelayMs ?? 0);
            return;
        }

        call.Charged = request.PromptTokens + (request.MaxTokens ?? 0);
        var fault = provider.Faults.Take(refusals: false, request, key, org);
        var answer = FaultyAnswers.Replace(fault, request, settings)
            ?? Answers.Answer.To(request, settings.DefaultOutputTokens, card?.MaxOutput, settings.Sorter);
        var player = new AnswerPlayer(provider, context, call, request, answer, fault);
        await player.Think(settings);
        Correct(account, card, admission, answer);
        Announce(context, account, card, settings);
        await player.Play(settings);
    }

    private ErrorReply? Turned(ChatRequest request, string org, ModelCard? card, Account? account)
    {
        if (card is null)
        {
            return null;
        }

        if (request.PromptTokens > card.Context)
        {
            return ProviderErrors.TooLong();
        }

        if (request.MaxTokens > card.MaxOutput)
        {
            return ProviderErrors.TooMuchOutput(card.MaxOutput.Value);
        }

        var refusal = account!.Charge(card, request.PromptTokens + (request.MaxTokens ?? 0), provider.Accounts.NowSeconds);
        return refusal is null ? null : ProviderErrors.Throttled(request.Model, org, refusal);
    }

    // What nobody announced is charged when it is known; what was announced and not used comes back only where the provider refunds.
    private void Correct(Account? account, ModelCard? card, Admission admission, Answer answer)
    {
        var tokens = admission.Request.MaxTokens is not { } most ? answer.Tokens : admission.Settings.Refund ? answer.Tokens - most : 0;
        if (tokens != 0)
        {
            account?.Correct(card!, tokens, provider.Accounts.NowSeconds);
            admission.Call.Charged += tokens;
        }
    }

    private void Announce(HttpContext context, Account? account, ModelCard? card, ProviderSettings settings)
    {
        if (account is not null)
        {
            RateHeaders.Write(context.Response.Headers, account, card!, settings.HeaderTokens, provider.Accounts.NowSeconds);
        }
    }

    private async Task Refuse(HttpContext context, CallRecord call, ErrorReply error, int delayMs)
    {
        call.Window = error.Window;
        if (delayMs > 0)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(delayMs), provider.Time, context.RequestAborted);
        }

        await ResponseWriter.Send(context, call, error);
    }

    private static CallRecord Record(string key, string org, ChatRequest? request) => new()
    {
        Org = org,
        KeyTail = key.Length <= 4 ? key : key[^4..],
        Model = request?.Model ?? "",
        PromptTokens = request?.PromptTokens ?? 0,
        MaxTokens = request?.MaxTokens,
        PromptHash = request?.Hash,
        Stream = request?.Stream ?? false,
    };

    private static string BearerKey(HttpRequest request)
    {
        const string Scheme = "Bearer ";
        var header = request.Headers.Authorization.ToString();
        return header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) ? header[Scheme.Length..].Trim() : "";
    }

    private static async Task<ReadOnlySequence<byte>> ReadBody(HttpRequest request)
    {
        while (true)
        {
            var read = await request.BodyReader.ReadAsync(request.HttpContext.RequestAborted);
            if (read.IsCompleted)
            {
                return read.Buffer;
            }

            request.BodyReader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }
}
