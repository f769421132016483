using System.Globalization;
using ProviderSimulator.Limits;

namespace ProviderSimulator.Wire;

/// <summary>An answer that is an error, and what the log calls it.</summary>
internal sealed record ErrorReply(int Status, ReadOnlyMemory<byte> Body, string Outcome)
{
    public string ContentType { get; init; } = "application/json";
    public TimeSpan? RetryAfter { get; init; }
    public LimitWindow? Window { get; init; }
    public IReadOnlyDictionary<string, string>? Headers { get; init; }
}

/// <summary>Groq's error bodies, word for word: clients read limits, waits and the organisation out of these sentences.</summary>
internal static class ProviderErrors
{
    private const string InvalidRequest = "invalid_request_error";
    private const string MoreTokens = "Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing";

    public static readonly ErrorReply InvalidKey =
        new(StatusCodes.Status401Unauthorized, Body("Invalid API Key", InvalidRequest, "invalid_api_key"), "unauthorized");

    public static readonly ErrorReply OutOfCredit = new(
        StatusCodes.Status402PaymentRequired,
        Body("Insufficient credits. Add more to continue making requests.", "insufficient_quota", "insufficient_credits"),
        "outOfCredit");

    public static ErrorReply Malformed(string problem) =>
        new(StatusCodes.Status400BadRequest, Body(problem, InvalidRequest, code: null), "malformed");

    public static ErrorReply UnknownModel(string model) => new(
        StatusCodes.Status404NotFound,
        Body($"The model `{model}` does not exist or you do not have access to it.", InvalidRequest, "model_not_found"),
        "unknownModel");

    public static ErrorReply ModelGone(string model, int status) => new(
        status,
        Body(
            $"The model `{model}` has been decommissioned and is no longer supported. Please refer to "
            + "https://console.groq.com/docs/deprecations for a recommendation on which model to use instead.",
            InvalidRequest,
            "model_decommissioned"),
        "modelGone");

    public static ErrorReply TooLong() => new(
        StatusCodes.Status400BadRequest,
        Body("Please reduce the length of the messages or completion.", InvalidRequest, "context_length_exceeded", "messages"),
        "tooLong");

    public static ErrorReply TooMuchOutput(long most) => new(
        StatusCodes.Status400BadRequest,
        Body(
            string.Create(
                CultureInfo.InvariantCulture,
                $"`max_tokens` must be less than or equal to `{most}`, the maximum value for `max_tokens` is less than the `context_window` for this model"),
            InvalidRequest,
            code: null,
            "max_tokens"),
        "tooMuchOutput");

    // The 413 carries a retry-after as well (measured on Groq), though the same call can never succeed.
    public static ErrorReply Throttled(string model, string org, Refusal refusal)
    {
        var where = $"for model `{model}` in organization `{org}` service tier `on_demand` on {refusal.Window.LongName}: ";
        var message = refusal.TooLarge
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"Request too large {where}Limit {refusal.Limit}, Requested {refusal.Requested}, please reduce your message size and try again.")
            : string.Create(
                CultureInfo.InvariantCulture,
                $"Rate limit reached {where}Limit {refusal.Limit}, Used {refusal.Used}, Requested {refusal.Requested}. Please try again in {GoDuration.Format(refusal.Wait)}. {MoreTokens}");
        return new ErrorReply(
            refusal.TooLarge ? StatusCodes.Status413PayloadTooLarge : StatusCodes.Status429TooManyRequests,
            Body(message, refusal.Window.ErrorType, "rate_limit_exceeded"),
            refusal.TooLarge ? "tooLarge" : "throttled")
        {
            RetryAfter = refusal.Wait,
            Window = refusal.Window,
        };
    }

    private static ReadOnlyMemory<byte> Body(string message, string type, string? code, string? parameter = null) =>
        JsonText.Bytes(writer =>
    {
        writer.WriteStartObject();
        writer.WriteStartObject("error");
        writer.WriteString("message", message);
        writer.WriteString("type", type);
        if (parameter is not null)
        {
            writer.WriteString("param", parameter);
        }

        if (code is not null)
        {
            writer.WriteString("code", code);
        }

        writer.WriteEndObject();
        writer.WriteEndObject();
    });
}
