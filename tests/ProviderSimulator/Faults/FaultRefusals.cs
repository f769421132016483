using System.Text;
using System.Text.Json;
using ProviderSimulator.Limits;
using ProviderSimulator.Settings;
using ProviderSimulator.Wire;

namespace ProviderSimulator.Faults;

/// <summary>The faults that turn a call away at the door, as the error the provider would send.</summary>
internal static class FaultRefusals
{
    public static ErrorReply Reply(Fault fault, ChatRequest request, string org, ModelCard? card)
    {
        var reply = fault.Kind switch
        {
            FaultKind.ModelGone => ProviderErrors.ModelGone(request.Model, fault.Status ?? StatusCodes.Status400BadRequest),
            FaultKind.KeyRevoked => ProviderErrors.InvalidKey,
            FaultKind.OutOfCredit => ProviderErrors.OutOfCredit,
            FaultKind.Throttle => Throttled(fault.Throttle!, request, org, card),
            _ => Scripted(fault),
        };
        return reply with { Outcome = fault.Kind.LogName };
    }

    // Used is what makes the sentence add up to the wait that was asked for.
    private static ErrorReply Throttled(ThrottleFault throttle, ChatRequest request, string org, ModelCard? card)
    {
        var window = throttle.LimitWindow;
        var limit = card?.Limit(window) is > 0 and { } known ? known : window.CountsTokens ? 6000 : 30;
        long requested = window.CountsTokens ? request.PromptTokens + (request.MaxTokens ?? 0) : 1;
        var used = limit - requested + (long)Math.Ceiling(throttle.RetryAfterSeconds * limit / window.LengthSeconds);
        var wait = TimeSpan.FromSeconds(throttle.RetryAfterSeconds);
        return ProviderErrors.Throttled(request.Model, org,
            new Refusal(window, limit, Math.Max(0, used), requested, wait, TooLarge: false));
    }

    private static ErrorReply Scripted(Fault fault)
    {
        var text = fault.Body switch
        {
            null => "",
            { ValueKind: JsonValueKind.String } body => body.GetString()!,
            { } body => body.GetRawText(),
        };
        var isJson = fault.Body is { ValueKind: JsonValueKind.Object or JsonValueKind.Array };
        return new ErrorReply(fault.Status!.Value, Encoding.UTF8.GetBytes(text), "")
        {
            ContentType = isJson ? "application/json" : "text/plain; charset=utf-8",
            Headers = fault.Headers,
        };
    }
}
