using LlmQueue.Store.Limits;
using LlmQueue.Worker.Calling;

namespace LlmQueue.Tests.Calling;

public sealed class RateHeadersTests
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

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
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), RateHeaders.Duration(text));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("7")]
    [InlineData("soon")]
    [InlineData("7s and a bit")]
    [InlineData("2026-11-21T12:00:00Z")]
    public void What_is_no_duration_is_none(string? text) => Assert.Null(RateHeaders.Duration(text));

    [Theory]
    [InlineData("3", "… Please try again in 2.5s. …", 2.5)]          // the header is rounded to whole seconds; the words are exact
    [InlineData("10", "Please try again in 9m38.016s. Need more", 578.016)]
    [InlineData("7", "no word of it", 7)]
    [InlineData("0", "", 0)]
    [InlineData("1.5", "", 1.5)]
    [InlineData("2m59.56s", "", 179.56)]
    [InlineData("Sat, 21 Nov 2026 12:00:30 GMT", "", 30)]
    [InlineData(null, "", 5)]                                         // nobody says: a positive default
    [InlineData("Sat, 21 Nov 2026 11:00:00 GMT", "", 5)]              // past
    [InlineData("-3", "", 5)]
    [InlineData("999999999", "", 172_800)]                            // two days at the most
    public void The_wait_is_the_exact_words_before_the_rounded_header(string? retryAfter, string body, double seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), RateHeaders.Wait(retryAfter, body, Noon));

    [Theory]
    [InlineData("on tokens per minute (TPM): Limit 6000, Used 5034, Requested 1443", LimitWindow.TokensPerMinute, 6000d)]
    [InlineData("on tokens per day (TPD): Limit 100000, Used 97050, Requested 3619", LimitWindow.TokensPerDay, 100_000d)]
    [InlineData("on requests per minute (RPM): Limit 30, Used 30, Requested 1", LimitWindow.RequestsPerMinute, 30d)]
    [InlineData("on requests per day (RPD): Limit 1000, Used 1000, Requested 1", LimitWindow.RequestsPerDay, 1000d)]
    [InlineData("Rate limit exceeded", null, null)]
    public void A_refusal_names_its_window_and_its_limit(string body, LimitWindow? window, double? limit)
    {
        Assert.Equal(window, RateHeaders.Window(body));
        Assert.Equal(limit, RateHeaders.Limit(body));
    }

    [Fact]
    public void Groqs_requests_are_the_days_and_its_tokens_the_minutes()
    {
        var count = Count("groq", ("x-ratelimit-limit-requests", "14400"), ("x-ratelimit-remaining-requests", "14370"), ("x-ratelimit-limit-tokens", "18000"), ("x-ratelimit-remaining-tokens", "17997"));

        Assert.Equal(new ProviderCount { LimitRequestsDay = 14400, RemainingRequestsDay = 14370, LimitTokensMinute = 18000, RemainingTokensMinute = 17997 }, count);
    }

    [Fact]
    public void OpenAIs_same_names_are_the_minutes_of_both()
    {
        var count = Count("openai", ("x-ratelimit-limit-requests", "60"), ("x-ratelimit-remaining-requests", "59"), ("x-ratelimit-limit-tokens", "150000"), ("x-ratelimit-remaining-tokens", "149984"));

        Assert.Equal(new ProviderCount { LimitRequestsMinute = 60, RemainingRequestsMinute = 59, LimitTokensMinute = 150_000, RemainingTokensMinute = 149_984 }, count);
    }

    [Fact]
    public void Mistral_has_names_of_its_own()
    {
        var count = Count("mistral", ("x-ratelimit-limit-tokens-minute", "500000"), ("x-ratelimit-remaining-tokens-minute", "499000"), ("x-ratelimit-limit-req-minute", "60"), ("x-ratelimit-remaining-req-minute", "58"));

        Assert.Equal(new ProviderCount { LimitRequestsMinute = 60, RemainingRequestsMinute = 58, LimitTokensMinute = 500_000, RemainingTokensMinute = 499_000 }, count);
    }

    [Fact]
    public void A_provider_that_says_nothing_or_nonsense_corrects_nothing()
    {
        Assert.Null(Count("gemini"));
        Assert.Null(Count("groq", ("x-ratelimit-remaining-tokens", "many"), ("x-ratelimit-remaining-requests", "-1")));
    }

    private static ProviderCount? Count(string provider, params (string Name, string Value)[] headers) =>
        RateHeaders.Count(name => headers.Where(h => h.Name == name).Select(h => h.Value).FirstOrDefault(), provider);
}
