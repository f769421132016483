using System.Text;
using LlmQueue.Limits;
using LlmQueue.Worker.Calling.Providers;
using LlmQueue.Worker.Calling.Reading;

namespace LlmQueue.Tests.Calling.Reading;

/// <summary>Header sets and bodies as providers were seen to send them; each names where.</summary>
public sealed class RateHeadersTests
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    /// <summary>Provider, where the headers were seen, the headers, what they mean.</summary>
    public static TheoryData<string, string, string, ProviderCount?> Headers { get; } = new()
    {
        {
            "groq", "console.groq.com/docs/rate-limits",
            "x-ratelimit-limit-requests: 14400; x-ratelimit-limit-tokens: 18000; x-ratelimit-remaining-requests: 14370; "
                + "x-ratelimit-remaining-tokens: 17997; x-ratelimit-reset-requests: 2m59.56s; x-ratelimit-reset-tokens: 7.66s",
            new ProviderCount
            {
                LimitRequestsDay = 14400, RemainingRequestsDay = 14370, LimitTokensMinute = 18000, RemainingTokensMinute = 17997,
            }
        },
        {
            "openai", "platform.openai.com/docs/guides/rate-limits",
            "x-ratelimit-limit-requests: 60; x-ratelimit-limit-tokens: 150000; x-ratelimit-remaining-requests: 59; "
                + "x-ratelimit-remaining-tokens: 149984; x-ratelimit-reset-requests: 1s; x-ratelimit-reset-tokens: 6m0s",
            new ProviderCount
            {
                LimitRequestsMinute = 60, RemainingRequestsMinute = 59, LimitTokensMinute = 150_000, RemainingTokensMinute = 149_984,
            }
        },
        {
            // One of 200 comes back in 7m12s: 200 of them in a day.
            "openai", "community.openai.com, the free tier's 200 requests a day",
            "x-ratelimit-limit-requests: 200; x-ratelimit-limit-tokens: 40000; x-ratelimit-remaining-requests: 199; "
                + "x-ratelimit-remaining-tokens: 39962; x-ratelimit-reset-requests: 7m12s; x-ratelimit-reset-tokens: 57ms",
            new ProviderCount
            {
                LimitRequestsDay = 200, RemainingRequestsDay = 199, LimitTokensMinute = 40_000, RemainingTokensMinute = 39_962,
            }
        },
        {
            "anthropic", "docs.anthropic.com/en/api/rate-limits: all three of tokens, the tightest counts",
            "anthropic-ratelimit-requests-limit: 50; anthropic-ratelimit-requests-remaining: 49; anthropic-ratelimit-requests-reset: "
                + "2026-11-21T12:00:01Z; anthropic-ratelimit-tokens-limit: 38000; anthropic-ratelimit-tokens-remaining: 38000; "
            + "anthropic-ratelimit-tokens-reset: 2026-11-21T12:00:00Z; anthropic-ratelimit-input-tokens-limit: 30000; "
            + "anthropic-ratelimit-input-tokens-remaining: 30000; anthropic-ratelimit-output-tokens-limit: 8000; "
            + "anthropic-ratelimit-output-tokens-remaining: 2000",
            new ProviderCount
            {
                LimitRequestsMinute = 50, RemainingRequestsMinute = 49, LimitTokensMinute = 38_000, RemainingTokensMinute = 9500,
            }
        },
        {
            "anthropic", "input and output alone make up the whole",
            "anthropic-ratelimit-input-tokens-limit: 30000; anthropic-ratelimit-input-tokens-remaining: 15000; "
                + "anthropic-ratelimit-output-tokens-limit: 8000; anthropic-ratelimit-output-tokens-remaining: 8000",
            new ProviderCount { LimitTokensMinute = 38_000, RemainingTokensMinute = 19_000 }
        },
        {
            "anthropic", "docs.anthropic.com/en/api/openai-sdk, header compatibility: OpenAI's names on its OpenAI-compatible endpoint",
            "x-ratelimit-limit-requests: 1000; x-ratelimit-remaining-requests: 999; x-ratelimit-reset-requests: 2026-11-21T12:00:00Z; "
                + "x-ratelimit-limit-tokens: 540000; x-ratelimit-remaining-tokens: 540000; x-ratelimit-reset-tokens: 2026-11-21T12:00:00Z",
            new ProviderCount
            {
                LimitRequestsMinute = 1000, RemainingRequestsMinute = 999, LimitTokensMinute = 540_000, RemainingTokensMinute = 540_000,
            }
        },
        {
            "mistral", "github.com/mistralai/client-ts/issues/169",
            "x-ratelimit-limit-tokens-minute: 5000000; x-ratelimit-remaining-tokens-minute: 4999911; x-ratelimit-tokens-query-cost: 52; "
                + "x-ratelimit-limit-req-minute: 720; x-ratelimit-remaining-req-minute: 717",
            new ProviderCount
            {
                LimitRequestsMinute = 720, RemainingRequestsMinute = 717, LimitTokensMinute = 5_000_000, RemainingTokensMinute = 4_999_911,
            }
        },
        {
            "mistral", "the older names, github.com/prism-php/prism tests",
            "ratelimitbysize-limit: 500000; ratelimitbysize-remaining: 499900; ratelimitbysize-reset: 28; ratelimitbysize-query-cost: 32",
            new ProviderCount { LimitTokensMinute = 500_000, RemainingTokensMinute = 499_900 }
        },
        {
            "mistral", "the older names with the window in them",
            "x-ratelimitbysize-limit-minute: 500000; x-ratelimitbysize-remaining-minute: 1200; x-ratelimitbysize-limit-month: 1000000000; "
                + "x-ratelimitbysize-remaining-month: 999000000; ratelimitbysize-remaining: 999000000; ratelimitbysize-limit: 1000000000",
            new ProviderCount { LimitTokensMinute = 500_000, RemainingTokensMinute = 1200 }
        },
        {
            "openrouter", "a refusal by the day; 00:00 UTC tomorrow in milliseconds",
            "X-RateLimit-Limit: 50; X-RateLimit-Remaining: 0; X-RateLimit-Reset: 1795305600000",
            new ProviderCount { LimitRequestsDay = 50, RemainingRequestsDay = 0 }
        },
        {
            "openrouter", "a refusal by the minute",
            "X-RateLimit-Limit: 20; X-RateLimit-Remaining: 0; X-RateLimit-Reset: 1795262460000",
            new ProviderCount { LimitRequestsMinute = 20, RemainingRequestsMinute = 0 }
        },
        { "openrouter", "answers carry none", "x-request-id: 1", null },
        { "gemini", "has none at all", "server-timing: gfet4t7", null },
        { "local", "Ollama has none", "content-type: application/json", null },
        {
            "local", "vLLM behind a gateway that copies OpenAI's", "x-ratelimit-remaining-tokens: 900",
            new ProviderCount { RemainingTokensMinute = 900 }
        },
        {
            "groq", "nonsense corrects nothing",
            "x-ratelimit-remaining-tokens: many; x-ratelimit-remaining-requests: -1; x-ratelimit-limit-tokens: NaN", null
        },
    };

    [Theory]
    [MemberData(nameof(Headers))]
    public void Every_providers_headers_are_read_as_it_means_them(string provider, string seen, string headers, ProviderCount? expected)
    {
        var read = ProviderRegistry.Of(provider).Count(Header(headers), Noon);

        Assert.True(expected == read, $"{provider} ({seen}): expected {expected}, read {read}");
    }

    /// <summary>Headers, body, seconds; the source in the comment before.</summary>
    public static TheoryData<string, string, double> Waits { get; } = new()
    {
        // Groq: the header is rounded to whole seconds; the words are exact (github.com/continuedev/continue/issues/10920).
        { "retry-after: 3", """{"error":{"message":"Rate limit reached … Please try again in 2.5s. Need more tokens?","type":"tokens","code":"rate_limit_exceeded"}}""", 2.5 },
        { "retry-after: 579", """{"error":{"message":"… on tokens per day (TPD): Limit 100000, Used 97050, Requested 3619. Please try again in 9m38.016s. …"}}""", 578.016 },
        // OpenAI (github.com/openai/openai-python: retry-after-ms goes before retry-after).
        { "retry-after-ms: 1250; retry-after: 2", """{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}""", 1.25 },
        { "retry-after: 1", """{"error":{"message":"Rate limit reached for gpt-4 on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 235ms."}}""", 0.235 },
        // RFC 9110: seconds, or a date; gateways send fractions.
        { "retry-after: 7", "no word of it", 7 },
        { "retry-after: 0", "", 0 },
        { "retry-after: 1.5", "", 1.5 },
        { "retry-after: 2m59.56s", "", 179.56 },
        { "retry-after: Sat, 21 Nov 2026 12:00:30 GMT", "", 30 },
        // Past, negative or nonsense: as if nobody had said it.
        { "retry-after: Sat, 21 Nov 2026 11:00:00 GMT", "", 5 },
        { "retry-after: -3", "", 5 },
        { "retry-after: soon", "", 5 },
        { "", "", 5 },
        // Two days at the most, then it is looked at again.
        { "retry-after: 999999999", "", 172_800 },
        // Mistral: the flat body says nothing (github.com/earendil-works/pi/issues/9815).
        {
            "Retry-After: 4",
            """{"object":"error","message":"Rate limit exceeded","type":"rate_limited","code":"1300","raw_status_code":429}""", 4
        },
        // Anthropic without a retry-after: the reset of the window that is empty, not of those that are not.
        {
            "anthropic-ratelimit-output-tokens-remaining: 0; anthropic-ratelimit-output-tokens-reset: 2026-11-21T12:00:42Z; "
                + "anthropic-ratelimit-requests-remaining: 49; anthropic-ratelimit-requests-reset: 2026-11-21T12:01:00Z",
            "", 42
        },
        {
            "x-ratelimit-remaining-requests: 0; x-ratelimit-reset-requests: 20ms; "
                + "x-ratelimit-remaining-tokens: 0; x-ratelimit-reset-tokens: 6m0s",
            "", 360
        },
        { "ratelimitbysize-remaining: 0; ratelimitbysize-reset: 28", "", 28 },
        // Gemini's words are more exact than its RetryInfo (Farrice/mes-knowledge-base, an agent's log of a 429).
        { "", GeminisMinute, 58.217843437 },
        { "", """[{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"18s"}]}}]""", 18 },
        // Its day ends at midnight Pacific time, whatever the delay says: 08:00 UTC.
        { "", GeminisDay, 20 * 3600 },
        // OpenRouter puts the headers into the body (github.com/Gitlawb/openclaude/issues/936); midnight UTC in milliseconds.
        { "", OpenRoutersDay, 12 * 3600 },
        { "retry-after: 120", """{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"temporarily rate-limited upstream","provider_name":"BaseTen","limit_source":"upstream_provider_shared_pool"}}}""", 120 },
    };

    [Theory]
    [MemberData(nameof(Waits))]
    public void The_wait_is_what_the_provider_asked_for_as_exactly_as_it_said(string headers, string body, double seconds)
    {
        var error = ErrorBody.Read(Encoding.UTF8.GetBytes(body));

        Assert.Equal(TimeSpan.FromSeconds(seconds),
            ErrorReader.Wait(name => Header(headers)(name) ?? error.Headers.GetValueOrDefault(name), error, Noon));
    }

    [Theory]
    [InlineData("on tokens per minute (TPM): Limit 6000, Used 5034, Requested 1443", LimitWindow.TokensPerMinute, 6000d)]
    [InlineData("on tokens per day (TPD): Limit 100000, Used 97050, Requested 3619", LimitWindow.TokensPerDay, 100_000d)]
    [InlineData("on requests per minute (RPM): Limit 30, Used 30, Requested 1", LimitWindow.RequestsPerMinute, 30d)]
    [InlineData("on requests per day (RPD): Limit 1000, Used 1000, Requested 1", LimitWindow.RequestsPerDay, 1000d)]
    [InlineData("on requests per min. Limit: 3 / min. Please try again in 20s.", LimitWindow.RequestsPerMinute, 3d)]
    [InlineData("This request would exceed the rate limit for your organization of 20,000 input tokens per minute.",
        LimitWindow.TokensPerMinute, null)]
    [InlineData("Rate limit exceeded", null, null)]
    [InlineData(GeminisMinute, LimitWindow.RequestsPerMinute, 5d)]
    [InlineData(GeminisDay, LimitWindow.RequestsPerDay, 20d)]
    [InlineData(OpenRoutersDay, LimitWindow.RequestsPerDay, null)]
    [InlineData("""{"error":{"message":"Rate limit exceeded: free-models-per-min. ","code":429}}""", LimitWindow.RequestsPerMinute, null)]
    public void A_refusal_names_its_window_and_its_limit(string body, LimitWindow? window, double? limit)
    {
        var error = ErrorBody.Read(Encoding.UTF8.GetBytes(body));

        Assert.Equal(window, ErrorReader.Limit(error).Window);
        Assert.Equal(limit, ErrorReader.Limit(error).Limit);
    }

    [Theory]
    [InlineData("2m59.56s", 179_560)]
    [InlineData("7.66s", 7660)]
    [InlineData("1m26.4s", 86_400)]
    [InlineData("235ms", 235)]
    [InlineData("9m38.016s", 578_016)]
    [InlineData("1h2m3s", 3_723_000)]
    [InlineData("1s", 1000)]
    [InlineData("6m0s", 360_000)]
    [InlineData("1d", 86_400_000)]
    [InlineData(" 2s ", 2000)]
    public void Reads_durations_as_Go_writes_them(string text, double milliseconds) =>
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), WireValue.Duration(text));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("7")]
    [InlineData("soon")]
    [InlineData("7s and a bit")]
    [InlineData("2026-11-21T12:00:00Z")]
    public void What_is_no_duration_is_none(string? text) => Assert.Null(WireValue.Duration(text));

    private const string GeminisMinute = """
        {"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details. … \n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 5, model: gemini-3-flash\nPlease retry in 58.217843437s.",
        "status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests",
        "quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaDimensions":{"model":"gemini-3-flash","location":"global"},"quotaValue":"5"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"58s"}]}}
        """;

    private const string GeminisDay = """
        [{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[
        {"quotaId":"GenerateContentInputTokensPerModelPerMinute-FreeTier","quotaValue":"250000"},{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaValue":"20"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"18s"}]}}]
        """;

    private const string OpenRoutersDay = """
        {"error":{"message":"Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day","code":429,
        "metadata":{"headers":{"X-RateLimit-Limit":"50","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1795305600000"},"provider_name":null}},"user_id":"user_1"}
        """;

    internal static Func<string, string?> Header(string headers)
    {
        var pairs = headers.Split("; ", StringSplitOptions.RemoveEmptyEntries).Select(h => h.Split(": ", 2))
            .ToDictionary(h => h[0], h => h[1], StringComparer.OrdinalIgnoreCase);
        return name => pairs.GetValueOrDefault(name);
    }
}
