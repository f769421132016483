using LlmQueue.Worker.Calling.Reading;
using LlmQueue.Worker.Outcomes;

namespace LlmQueue.Worker.Calling.Providers;

/// <summary>
/// Maps the error of a provider to an outcome. Status codes mean less than they promise: billing comes as 400, 402, 403 and 429, a model
/// that is gone as 400, 403, 404 and 410, content that is refused as 400 and 403. So what an error names goes before its number. Gateways
/// (OpenRouter, LiteLLM behind a base address) pass on what their upstreams wrote: every error is therefore read with the signs of all
/// providers, whoever sent it.
/// </summary>
internal static class ErrorReader
{
    /// <summary>What most OpenAI-compatible servers mean alike; what one of them alone says is in its own file.</summary>
    private static readonly ErrorSign[] Common =
    [
        new(ErrorMeaning.OutOfCredit, (status, _) => status == 402),
        new(ErrorMeaning.ContextExceeded, (_, error) => error.Names("context_length") || error.Says("context length", "context window")),
        new(ErrorMeaning.ModelGone, (status, error) => status == 410 || error.Names("model_not_found")),
        // OpenRouter has the model, and nobody who serves it with what was asked for.
        new(ErrorMeaning.ModelGone, (status, error) =>
            status == 404 && error.Says("model") && !error.Says(OpenRouterProvider.NobodyServesItWithThat)),
        new(ErrorMeaning.ContentRefused, (status, error) => ErrorSign.RejectsRequest(status) && error.Names("content_filter", "safety")),
        new(ErrorMeaning.Unsupported, (status, error) => status is 400 or 404 or 422
            && (error.Names("unsupported", "not_supported") || error.Says("not supported", OpenRouterProvider.NobodyServesItWithThat))),
    ];

    private static readonly IReadOnlyList<ErrorSign> Signs =
        [.. Common.Concat(ProviderRegistry.All.SelectMany(provider => provider.ErrorSigns)).OrderBy(sign => sign.Meaning)];

    private static readonly IReadOnlyList<WindowHeaders> Windows =
        [.. ProviderRegistry.All.SelectMany(provider => provider.Windows).Distinct()];

    public static CallOutcome Read(int status, Func<string, string?> header, ErrorBody error, DateTimeOffset now)
    {
        var detail = CompletionReader.Shortened(error.Message ?? error.Text);
        var told = $"{status} {detail}";
        return Meaning(status, error) switch
        {
            ErrorMeaning.CreditInFlight or ErrorMeaning.Overloaded => new CallOutcome.Unreachable(told) { Wait = Wait(header, error, now) },
            ErrorMeaning.TooLargeForCredit => new CallOutcome.TooLarge(detail),
            ErrorMeaning.OutOfCredit => new CallOutcome.OutOfCredit(detail),
            ErrorMeaning.ContextExceeded => new CallOutcome.ContextExceeded(detail),
            ErrorMeaning.ModelGone => new CallOutcome.ModelGone(detail),
            ErrorMeaning.ContentRefused => new CallOutcome.ContentRefused(detail),
            ErrorMeaning.BadGeneration => new CallOutcome.Malformed(told),
            ErrorMeaning.KeyRefused => new CallOutcome.KeyRefused(told),
            ErrorMeaning.Unsupported => new CallOutcome.Unsupported(detail),
            _ => ByStatus(),
        };

        CallOutcome ByStatus() => status switch
        {
            // A page in front of the provider (Cloudflare and its like) says nothing of the key.
            401 or 403 when error.Text.TrimStart().StartsWith('<') => new CallOutcome.Unreachable(told),
            401 or 403 => new CallOutcome.KeyRefused(told),
            429 => new CallOutcome.Throttled(Limit(error).Window, Wait(header, error, now), detail),
            // Groq's 413 has the code of a rate limit and a retry-after: the request alone is above the limit, so no wait would help.
            413 => new CallOutcome.TooLarge(detail),
            404 or 408 or 409 or 425 or >= 500 => new CallOutcome.Unreachable(told)
            {
                Wait = header("retry-after") is null ? null : Wait(header, error, now),
            },
            _ => new CallOutcome.BadRequest(told),
        };
    }

    /// <summary>The limit that a refusal names.</summary>
    public static NamedLimit Limit(ErrorBody error) =>
        ProviderRegistry.All.Select(provider => provider.LimitNamedIn(error)).FirstOrDefault(named => named is not null)
        ?? NamedLimit.Read(error);

    /// <summary>How long the provider asks to be left alone.</summary>
    public static TimeSpan Wait(Func<string, string?> header, ErrorBody error, DateTimeOffset now) =>
        RetryWait.Of(header, error, Windows, ProviderRegistry.All.Max(provider => provider.LeastWait(error, now)), now);

    private static ErrorMeaning? Meaning(int status, ErrorBody error) => Signs.FirstOrDefault(sign => sign.Fits(status, error))?.Meaning;
}
