using LlmQueue.Limits;
using LlmQueue.Worker.Calling.Reading;

namespace LlmQueue.Worker.Calling.Providers;

/// <summary>
/// OpenRouter: openrouter.ai/docs/api-reference/errors. Its headers come in the body of a refusal (metadata.headers), and only there.
/// </summary>
internal sealed class OpenRouterProvider() : OpenAiCompatibleProvider("openrouter")
{
    /// <summary>It has the model, but no upstream that takes what the request has.</summary>
    public const string NobodyServesItWithThat = "No endpoints found that support";

    private static readonly WindowHeaders OneWindow = new("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset");

    public override IReadOnlyList<ErrorSign> ErrorSigns { get; } =
    [
        new(ErrorMeaning.CreditInFlight, (status, error) =>
            status == 402 && (error.Names("in_flight_budget_exhausted") || error.Says("in_flight_budget_exhausted", "in-flight requests"))),
        new(ErrorMeaning.TooLargeForCredit, (status, error) =>
            status == 402 && (error.Names("weight_exceeds_budget") || error.Says("fewer max_tokens", "can only afford"))),
        new(ErrorMeaning.ModelGone, (_, error) => error.Says("No endpoints found for")),
        // It moderates with a 403; the key is good.
        new(ErrorMeaning.ContentRefused, (status, error) => ErrorSign.RejectsRequest(status) && error.Names("moderation")),
        new(ErrorMeaning.ContentRefused, (status, error) => status == 403 && error.Says("flagged")),
    ];

    public override IReadOnlyList<WindowHeaders> Windows { get; } = [OneWindow];

    /// <summary>"Rate limit exceeded: free-models-per-day."</summary>
    public override NamedLimit? LimitNamedIn(ErrorBody error) =>
        error.Says("models-per-min") ? new NamedLimit(LimitWindow.RequestsPerMinute, NamedLimit.LimitIn(error))
        : error.Says("models-per-day") ? new NamedLimit(LimitWindow.RequestsPerDay, NamedLimit.LimitIn(error))
        : null;

    /// <summary>One window, the minute's or the day's, as its reset says.</summary>
    protected override ProviderCount ReadCount(Func<string, string?> header, DateTimeOffset now) =>
        new ProviderCount().WithRequests(OneWindow.Read(header), ofDay: WireValue.Moment(header(OneWindow.Reset!)) - now > LongestMinute);
}
