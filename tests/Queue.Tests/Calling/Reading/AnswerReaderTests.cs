using System.Text;
using LlmQueue.Limits;
using LlmQueue.Tests.Api;
using LlmQueue.Worker.Calling.Providers;
using LlmQueue.Worker.Calling.Reading;
using LlmQueue.Worker.Outcomes;

namespace LlmQueue.Tests.Calling.Reading;

public sealed class AnswerReaderTests
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void An_answer_is_its_text_its_usage_and_the_version_that_gave_it()
    {
        var answered = Assert.IsType<CallOutcome.Answered>(Read(200, """
            {"model":"llama-x","system_fingerprint":"fp_1","choices":[{"finish_reason":"stop","message":{"content":"Blue\u0000 light"}}],"usage":{"prompt_tokens":12,"completion_tokens":34}}
            """));

        Assert.Equal(("Blue light", 12, 34, "llama-x fp_1", false),
            (answered.Text, answered.InputTokens, answered.OutputTokens, answered.ModelVersion, answered.CutShort));
    }

    [Fact]
    public void An_answer_cut_at_its_length_is_an_answer_that_says_so() =>
        Assert.True(Assert.IsType<CallOutcome.Answered>(
            Read(200, """{"choices":[{"finish_reason":"length","message":{"content":"Blue"}}]}""")).CutShort);

    [Theory]
    [InlineData("<html>busy</html>", "not JSON")]
    [InlineData("{\"choices\":[{\"message\":{\"content\":\"Bl", "not JSON")]
    [InlineData("{}", "no choices")]
    [InlineData("[]", "no choices")]
    [InlineData("{\"choices\":[]}", "no choices")]
    [InlineData("{\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"content\":\"\"}}]}", "empty")]
    [InlineData("{\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"content\":\" \\n\"}}]}", "empty")]
    [InlineData("{\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"content\":null}}]}", "empty")]
    [InlineData("{\"choices\":[{\"finish_reason\":\"stop\"}]}", "empty")]
    [InlineData("{\"choices\":[{\"finish_reason\":\"error\",\"message\":{\"content\":\"Blu\"}}]}", "broke off")]
    public void What_cannot_be_used_is_malformed_with_its_reason(string body, string reason) =>
        Assert.Contains(reason, Assert.IsType<CallOutcome.Malformed>(Read(200, body)).Detail, StringComparison.Ordinal);

    /// <summary>gpt-oss on Groq: 200, finish_reason length, and every token in completion_tokens_details.reasoning_tokens.</summary>
    [Fact]
    public void An_answer_eaten_by_reasoning_says_how_much_was_eaten_and_what_it_cost()
    {
        var spent = Assert.IsType<CallOutcome.OutputSpent>(Read(200, """
            {"choices":[{"finish_reason":"length","message":{"content":"","reasoning":"Let me think"}}],"usage":{"prompt_tokens":78,"completion_tokens":50,"completion_tokens_details":{"reasoning_tokens":48}}}
            """));

        Assert.Equal(("the answer is empty: all 48 tokens it was allowed went into hidden reasoning", 78L, 50L),
            (spent.Detail, spent.InputTokens, spent.OutputTokens));
    }

    [Theory]
    [InlineData("{\"choices\":[{\"finish_reason\":\"content_filter: PROHIBITED_CONTENT\",\"message\":{\"content\":\"\"}}]}")]
    [InlineData("{\"choices\":[{\"finish_reason\":\"content_filter\",\"message\":{\"content\":\"\"}}]}")]
    [InlineData("{\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"content\":null,\"refusal\":\"I cannot help with that.\"}}]}")]
    public void A_refusal_to_answer_is_not_a_fault(string body) => Assert.IsType<CallOutcome.ContentRefused>(Read(200, body));

    [Fact]
    public void An_error_in_a_200_is_the_error_it_names()
    {
        Assert.IsType<CallOutcome.Throttled>(Read(200, """{"error":{"message":"Rate limit","code":429}}"""));
        Assert.IsType<CallOutcome.Unreachable>(Read(200, """{"error":{"message":"upstream"}}"""));
    }

    [Fact]
    public void Groqs_429_says_the_window_and_the_exact_wait()
    {
        var throttled = Assert.IsType<CallOutcome.Throttled>(Read(429,
            """{"error":{"message":"Rate limit reached for model `llama` in organization `org_1` service tier `on_demand` on tokens per day (TPD): Limit 100000, Used 97050, Requested 3619. Please try again in 9m38.016s. Need more tokens?","type":"tokens","code":"rate_limit_exceeded"}}""",
            ("retry-after", "579")));

        Assert.Equal((LimitWindow.TokensPerDay, TimeSpan.FromMilliseconds(578_016)), (throttled.Window, throttled.Wait));
    }

    [Fact]
    public void Groqs_413_has_the_same_code_and_is_never_a_wait()
    {
        const string Body = """{"error":{"message":"Request too large for model `X` in organization `org_1` service tier `on_demand` on tokens per minute (TPM): Limit 6000, Requested 12328, please reduce your message size and try again.","type":"tokens","code":"rate_limit_exceeded"}}""";

        Assert.Equal(new ProviderCount { LimitTokensMinute = 6000 },
            Assert.IsType<CallOutcome.TooLarge>(Read(413, Body, ("retry-after", "9"))).Count);
    }

    [Theory]
    [InlineData("requests per minute (RPM)")]
    [InlineData("requests per day (RPD)")]
    [InlineData("tokens per minute (TPM)")]
    [InlineData("tokens per day (TPD)")]
    public void A_refusals_words_name_the_limit_of_its_window_and_go_before_the_headers(string window)
    {
        var body = $$"""{ "error": { "message": "Rate limit reached for model `m` on {{window}}: Limit 300, Used 300, Requested 1. Please try again in 200ms.", "type": "requests", "code": "rate_limit_exceeded" } }""";

        var count = Read(429, body, ("x-ratelimit-limit-tokens", "6000"), ("x-ratelimit-remaining-tokens", "5000")).Count!;

        Assert.Equal(5000, count.RemainingTokensMinute);
        Assert.Equal(window.EndsWith("(TPM)", StringComparison.Ordinal) ? 300 : 6000, count.LimitTokensMinute);
        double?[] named = [count.LimitRequestsMinute, count.LimitRequestsDay, count.LimitTokensMinute, count.LimitTokensDay];
        Assert.Equal(300, Assert.Single(named, limit => limit == 300));
    }

    [Fact]
    public void Geminis_error_is_an_array_of_one() =>
        Assert.Equal("Quota exceeded", Assert.IsType<CallOutcome.Throttled>(
            Read(429, """[{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED"}}]""")).Detail);

    [Fact]
    public void Mistrals_error_lies_flat_and_its_wait_is_the_header()
    {
        var throttled = Assert.IsType<CallOutcome.Throttled>(Read(429,
            """{"object":"error","message":"Rate limit exceeded","type":"rate_limited","code":"1300","raw_status_code":429}""",
            ("retry-after", "4")));

        Assert.Equal(("Rate limit exceeded", TimeSpan.FromSeconds(4)), (throttled.Detail, throttled.Wait));
    }

    [Theory]
    [InlineData("insufficient_quota")]
    [InlineData("credit_balance_exhausted")]
    [InlineData("project_spend_limit_exceeded")]
    public void A_429_about_money_is_not_one_to_wait_for(string code) =>
        Assert.IsType<CallOutcome.OutOfCredit>(
            Read(429, $$$"""{"error":{"message":"You exceeded your current quota","type":"{{{code}}}","code":"{{{code}}}"}}"""));

    [Theory]
    [InlineData(401, """{"error":{"message":"Invalid API Key","code":"invalid_api_key"}}""", typeof(CallOutcome.KeyRefused))]
    [InlineData(403, "forbidden", typeof(CallOutcome.KeyRefused))]
    [InlineData(402, """{"error":{"message":"Insufficient credits"}}""", typeof(CallOutcome.OutOfCredit))]
    [InlineData(498, """{"error":{"message":"capacity_exceeded"}}""", typeof(CallOutcome.Unreachable))]
    [InlineData(400, """{"error":{"message":"Please reduce the length","code":"context_length_exceeded"}}""",
        typeof(CallOutcome.ContextExceeded))]
    [InlineData(400, """{"error":{"message":"This model's maximum context length is 8192 tokens"}}""", typeof(CallOutcome.ContextExceeded))]
    [InlineData(400, """{"error":{"message":"The model `x` has been decommissioned","code":"model_decommissioned"}}""",
        typeof(CallOutcome.ModelGone))]
    [InlineData(404, """{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}""", typeof(CallOutcome.ModelGone))]
    [InlineData(410, "", typeof(CallOutcome.ModelGone))]
    [InlineData(404, "not here", typeof(CallOutcome.Unreachable))]
    [InlineData(400, """{"error":{"message":"flagged","code":"content_policy_violation"}}""", typeof(CallOutcome.ContentRefused))]
    [InlineData(400, """{"error":{"message":"'temperature' must be at most 2","type":"invalid_request_error"}}""",
        typeof(CallOutcome.BadRequest))]
    [InlineData(422, """{"detail":"unprocessable"}""", typeof(CallOutcome.BadRequest))]
    [InlineData(408, "", typeof(CallOutcome.Unreachable))]
    [InlineData(500, "oops", typeof(CallOutcome.Unreachable))]
    [InlineData(503, """{"error":"busy"}""", typeof(CallOutcome.Unreachable))]
    [InlineData(529, """{"error":{"type":"overloaded_error"}}""", typeof(CallOutcome.Unreachable))]
    public void Every_status_is_the_outcome_it_means(int status, string body, Type outcome) =>
        Assert.Equal(outcome, Read(status, body).GetType());

    [Fact]
    public void The_providers_count_comes_with_every_answer_good_or_bad()
    {
        Assert.Equal(17, Read(429, "", ("x-ratelimit-remaining-tokens", "17")).Count!.RemainingTokensMinute);
        Assert.Null(Read(500, "").Count);
    }

    [Fact]
    public void A_provider_that_says_nothing_at_all_is_quoted_as_such_and_one_that_says_too_much_is_cut()
    {
        Assert.Equal("500 without a word", Assert.IsType<CallOutcome.Unreachable>(Read(500, "")).Detail);
        Assert.InRange(Assert.IsType<CallOutcome.Unreachable>(Read(500, new string('x', 100_000))).Detail.Length, 500, 510);
    }

    private static CallOutcome Read(int status, string body, params (string Name, string Value)[] headers) =>
        ProviderRegistry.Of("groq")
            .Read(new RawAnswer(status, Encoding.UTF8.GetBytes(body), name => headers.FirstOrDefault(h => h.Name == name).Value), Noon);
}
