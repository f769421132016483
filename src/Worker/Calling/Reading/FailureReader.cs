using LlmQueue.Worker.Recovery;

namespace LlmQueue.Worker.Calling.Reading;

/// <summary>
/// Which outcome an error is. Status codes mean less than they promise: billing comes as 400, 402, 403 and 429, a model that is gone as 400, 403, 404 and 410, content that
/// is refused as 400 and 403. So what an error names goes before its number. The first line that fits counts; each odd one says who sends it.
/// </summary>
internal static class FailureReader
{
    private const int LongestDetail = 500;

    public static CallOutcome Read(int status, Func<string, string?> header, ErrorBody error, DateTimeOffset now)
    {
        string? Header(string name) => header(name) ?? error.Headers.GetValueOrDefault(name);
        var detail = Shortened(error.Message ?? error.Text);
        var wait = RetryWait.Of(Header, error, now);

        if (Money(status, error, wait, detail) is { } money)
            return money;
        if (IsTooLong(error))
            return new CallOutcome.ContextExceeded(detail);
        if (IsGone(status, error))
            return new CallOutcome.ModelGone(detail);
        if (IsRefusedContent(status, error))
            return new CallOutcome.ContentRefused(detail);
        if (IsFull(status, error))
            return new CallOutcome.Unreachable($"{status} {detail}") { Wait = wait };
        // Groq: the model's own JSON or call of a tool was wrong; another try may do better.
        if (error.Names("json_validate_failed") || error.Names("tool_use_failed"))
            return new CallOutcome.Malformed($"{status} {detail}");
        return status switch
        {
            // A page in front of the provider (Cloudflare and its like) says nothing of the key.
            401 or 403 when error.Text.TrimStart().StartsWith('<') => new CallOutcome.Unreachable($"{status} {detail}"),
            401 or 403 => new CallOutcome.KeyRefused($"{status} {detail}"),
            // Gemini: "API key not valid", "User location is not supported"; Groq: the organisation is restricted.
            400 when error.Says("API key not valid") || error.Says("API key expired") || error.Says("location is not supported") || error.Names("organization_restricted") => new CallOutcome.KeyRefused($"400 {detail}"),
            429 => new CallOutcome.Throttled(RateHeaders.Window(error), wait, detail),
            // Groq's 413 has the code of a rate limit and a retry-after: the request alone is above the limit, so no wait would help.
            413 => new CallOutcome.TooLarge(detail),
            400 or 404 or 422 when error.Names("unsupported") || error.Names("not_supported") || error.Says("not supported") || error.Says("No endpoints found that support") => new CallOutcome.Unsupported(detail),
            404 or 408 or 409 or 425 or >= 500 => new CallOutcome.Unreachable($"{status} {detail}") { Wait = Header("retry-after") is null ? null : wait },
            _ => new CallOutcome.BadRequest($"{status} {detail}"),
        };
    }

    private static CallOutcome? Money(int status, ErrorBody error, TimeSpan wait, string detail)
    {
        // OpenRouter holds money for calls on their way: with them it comes back.
        if (status == 402 && (error.Names("in_flight_budget_exhausted") || error.Says("in_flight_budget_exhausted") || error.Says("in-flight requests")))
            return new CallOutcome.Unreachable($"402 {detail}") { Wait = wait };
        // OpenRouter: the balance pays for a smaller one.
        if (status == 402 && (error.Names("weight_exceeds_budget") || error.Says("fewer max_tokens") || error.Says("can only afford")))
            return new CallOutcome.TooLarge(detail);
        if (status == 402 || error.Names("insufficient_quota") || error.Names("credit_balance_exhausted") || error.Names("spend_limit") || error.Names("billing_hard_limit_reached")
            || error.Names("billing_not_active") || error.Names("billing_error")
            // Anthropic sends it as a 400 invalid_request_error.
            || error.Says("credit balance is too low") || error.Says("specified API usage limits"))
            return new CallOutcome.OutOfCredit(detail);
        // Gemini: a free plan's limit of 0 never refills.
        return status == 429 && (error.Quotas.Any(q => q.Value is 0) || (error.Quotas.Count > 0 && error.Says("limit: 0,"))) ? new CallOutcome.OutOfCredit(detail) : null;
    }

    // OpenAI, Groq: context_length_exceeded; Mistral: "maximum context length"; llama.cpp: exceed_context_size_error; Anthropic: "prompt is too long"; Gemini: the last.
    private static bool IsTooLong(ErrorBody error) =>
        error.Names("context_length") || error.Names("exceed_context_size") || error.Says("context length") || error.Says("context window") || error.Says("context size")
        || error.Says("prompt is too long") || error.Says("exceeds the maximum number of tokens allowed");

    // Mistral: invalid_model; OpenAI: a project without access; Groq: a project's block or terms that an admin has to accept; OpenRouter: "No endpoints found for".
    private static bool IsGone(int status, ErrorBody error) =>
        status == 410 || error.Names("model_decommissioned") || error.Names("model_not_found") || error.Names("invalid_model") || error.Names("model_permission_blocked")
        || error.Names("model_terms_required") || error.Says("has been decommissioned") || error.Says("does not have access to model") || error.Says("No endpoints found for")
        || (status == 404 && error.Says("model") && !error.Says("No endpoints found that support"));

    // OpenRouter moderates with a 403; OpenAI: content_policy_violation, invalid_prompt.
    private static bool IsRefusedContent(int status, ErrorBody error) =>
        (status is 400 or 403 or 422 && (error.Names("content_policy") || error.Names("content_filter") || error.Names("safety") || error.Names("invalid_prompt") || error.Names("moderation")))
        || (status == 403 && error.Says("flagged"));

    // Groq's flex tier: 498; Anthropic: 529; Mistral: a 429 that is about the model's capacity, not about a limit of ours.
    private static bool IsFull(int status, ErrorBody error) =>
        status is 498 or 529 || error.Names("overloaded_error") || error.Names("service_tier_capacity_exceeded") || error.Names("capacity_exceeded");

    public static string Shortened(string text)
    {
        var clean = text.Replace("\0", "", StringComparison.Ordinal).Trim();
        return clean.Length == 0 ? "without a word" : clean.Length <= LongestDetail ? clean : clean[..LongestDetail] + "…";
    }
}
