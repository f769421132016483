using System.Text;
using LlmQueue.Worker;
using LlmQueue.Worker.Calling.Providers;
using LlmQueue.Worker.Calling.Reading;
using LlmQueue.Worker.Outcomes;
using LlmQueue.Worker.Recovery;

namespace LlmQueue.Tests.Calling.Reading;

/// <summary>Errors as providers were seen to send them, through the real reader and the rule to what is done about them.</summary>
public sealed class ProviderErrorTests
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    /// <summary>
    /// Who sends it, where it was seen, status, body, the outcome, what is done, and for how long the bucket is left alone
    /// (seconds; null: not at all).
    /// </summary>
    public static TheoryData<string, string, int, string, string, string, double?> Errors { get; } = new()
    {
        // ---- Groq ----
        { "groq", "continuedev/continue#10920", 429, """{"error":{"message":"Rate limit reached for model `m` in organization `org_1` service tier `on_demand` on tokens per minute (TPM): Limit 6000, Used 5034, Requested 1443. Please try again in 4.77s.","type":"tokens","code":"rate_limit_exceeded"}}""", "throttled", "SeekAgain", 4.77 },
        { "groq", "continuedev/continue#10218: the code of a limit, and never a wait", 413, """{"error":{"message":"Request too large for model `m` in organization `org_1` service tier `on_demand` on tokens per minute (TPM): Limit 6000, Requested 12328, please reduce your message size and try again.","type":"tokens","code":"rate_limit_exceeded"}}""", "too large", "LeaveModel", null },
        {
            "groq", "console.groq.com/docs/errors, flex", 498,
            """{"error":{"message":"Flex tier capacity exceeded","type":"capacity_exceeded","code":"capacity_exceeded"}}""", "unreachable",
            "TryAgain", 5
        },
        { "groq", "console.groq.com/docs/deprecations", 400, """{"error":{"message":"The model `m` has been decommissioned and is no longer supported.","type":"invalid_request_error","code":"model_decommissioned"}}""", "model gone", "LeaveModel", null },
        { "groq", "the key's project may not use it; the key is good", 403, """{"error":{"message":"The model `m` is blocked at the project level.","type":"permissions_error","code":"model_permission_blocked_project"}}""", "model gone", "LeaveModel", null },
        { "groq", "terms an admin must accept", 400, """{"error":{"message":"The model `m` requires terms acceptance.","type":"invalid_request_error","code":"model_terms_required"}}""", "model gone", "LeaveModel", null },
        { "groq", "the model's own JSON was wrong", 400, """{"error":{"message":"Failed to generate JSON. Please adjust your prompt.","type":"invalid_request_error","code":"json_validate_failed","failed_generation":"{"}}""", "malformed answer", "TryAgain", null },
        { "groq", "organisation restricted", 400, """{"error":{"message":"Organization has been restricted. Please reach out to support.","type":"invalid_request_error","code":"organization_restricted"}}""", "key refused", "SeekAgain", null },
        {
            "groq", "console.groq.com/docs/errors", 401,
            """{"error":{"message":"Invalid API Key","type":"invalid_request_error","code":"invalid_api_key"}}""", "key refused",
            "SeekAgain", null
        },
        {
            "groq", "what a gateway in front of it sends", 403, "<html><head><title>Attention Required! | Cloudflare</title></head></html>",
            "unreachable", "TryAgain", null
        },
        { "groq", "502 of its edge", 502, "<html><body>Bad gateway</body></html>", "unreachable", "TryAgain", null },
        // ---- OpenAI ----
        { "openai", "platform.openai.com/docs/guides/error-codes", 429, """{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}""", "out of credit", "SeekAgain", 600 },
        { "openai", "a project's spend limit", 429, """{"error":{"message":"Project spend limit reached","type":"project_spend_limit_exceeded","code":"project_spend_limit_exceeded"}}""", "out of credit", "SeekAgain", 600 },
        { "openai", "billing as a 400", 400, """{"error":{"message":"Billing hard limit has been reached","type":"invalid_request_error","code":"billing_hard_limit_reached"}}""", "out of credit", "SeekAgain", 600 },
        { "openai", "FoundationAgents/OpenManus#555", 400, """{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}""", "unsupported", "LeaveModel", null },
        { "openai", "decolua/9router#560", 400, """{"error":{"message":"Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}""", "unsupported", "LeaveModel", null },
        { "openai", "a project without the model", 403, """{"error":{"message":"Project `proj_1` does not have access to model `m`","type":"invalid_request_error","param":null,"code":"model_not_found"}}""", "model gone", "LeaveModel", null },
        { "openai", "too long", 400, """{"error":{"message":"This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}""", "context exceeded", "LeaveModel", null },
        { "openai", "invalid_prompt", 400, """{"error":{"message":"Invalid prompt: your prompt was flagged as potentially violating our usage policy.","type":"invalid_request_error","code":"invalid_prompt"}}""", "content refused", "LeaveModel", null },
        { "openai", "really wrong", 400, """{"error":{"message":"Invalid type for 'messages[0].content': expected a string.","type":"invalid_request_error","param":"messages[0].content","code":"invalid_type"}}""", "bad request", "GiveUp", null },
        // ---- Anthropic ----
        {
            "anthropic", "docs.anthropic.com/en/api/errors", 529,
            """{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}""", "unreachable", "TryAgain", 5
        },
        { "anthropic", "anthropic's money comes as a 400", 400, """{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."}}""", "out of credit", "SeekAgain", 600 },
        {
            "anthropic", "402 billing_error", 402,
            """{"type":"error","error":{"type":"billing_error","message":"Your account has an issue with billing"}}""", "out of credit",
            "SeekAgain", 600
        },
        { "anthropic", "FoundationAgents/OpenManus#746", 429, """{"error":{"code":"rate_limit_error","message":"This request would exceed the rate limit for your organization of 20,000 input tokens per minute.","type":"invalid_request_error","param":null}}""", "throttled", "SeekAgain", 5 },
        {
            "anthropic", "too long", 400,
            """{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}""",
            "context exceeded", "LeaveModel", null
        },
        {
            "anthropic", "not_found_error", 404, """{"type":"error","error":{"type":"not_found_error","message":"model: claude-0"}}""",
            "model gone", "LeaveModel", null
        },
        {
            "anthropic", "request_too_large", 413,
            """{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}""", "too large",
            "LeaveModel", null
        },
        // ---- Mistral ----
        {
            "mistral", "earendil-works/pi#9815", 429,
            """{"object":"error","message":"Rate limit exceeded","type":"rate_limited","code":"1300","raw_status_code":429}""", "throttled",
            "SeekAgain", 5
        },
        { "mistral", "its capacity, not our limit", 429, """{"object":"error","message":"Service tier capacity exceeded for this model.","type":"service_tier_capacity_exceeded","param":null,"code":"3505"}""", "unreachable", "TryAgain", 5 },
        {
            "mistral", "invalid_model", 400,
            """{"object":"error","message":"Invalid model: mistral-none","type":"invalid_model","param":null,"code":"1500"}""",
            "model gone", "LeaveModel", null
        },
        { "mistral", "too long", 400, """{"object":"error","message":"Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length","type":"invalid_request_prompt","param":null,"code":"3051"}""", "context exceeded", "LeaveModel", null },
        { "mistral", "a message that is no text", 422, """{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","seed"],"msg":"Extra inputs are not permitted"}]},"type":"invalid_request_error"}""", "bad request", "GiveUp", null },
        { "mistral", "401", 401, """{"detail":"Unauthorized"}""", "key refused", "SeekAgain", null },
        // ---- Gemini ----
        {
            "gemini", "n4ze3m/page-assist#406: an array", 429,
            """[{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).","status":"RESOURCE_EXHAUSTED"}}]""",
            "throttled", "SeekAgain", 5
        },
        { "gemini", "Farrice/mes-knowledge-base: 'check your plan and billing' and yet a limit of a minute", 429, """{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.\nPlease retry in 58.2s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaValue":"5"}]}]}}""", "throttled", "SeekAgain", 58.2 },
        { "gemini", "the plan has none of this model", 429, """{"error":{"code":429,"message":"Quota exceeded for metric: generate_content_free_tier_requests, limit: 0, model: gemini-2.0-flash\nPlease retry in 42s.","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}]}}""", "out of credit", "SeekAgain", 600 },
        { "gemini", "a bad key is a 400", 400, """[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}]""", "key refused", "SeekAgain", null },
        { "gemini", "too long", 400, """[{"error":{"code":400,"message":"The input token count (1204000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}]""", "context exceeded", "LeaveModel", null },
        { "gemini", "gone", 404, """[{"error":{"code":404,"message":"models/gemini-0 is not found for API version v1main, or is not supported for generateContent.","status":"NOT_FOUND"}}]""", "model gone", "LeaveModel", null },
        {
            "gemini", "overloaded", 503,
            """[{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}]""",
            "unreachable", "TryAgain", null
        },
        {
            "gemini", "an array in a 200", 200,
            """[{"error":{"code":503,"message":"The service is currently unavailable.","status":"UNAVAILABLE"}}]""", "unreachable",
            "TryAgain", null
        },
        // ---- OpenRouter ----
        { "openrouter", "aiosbrain/aios-team-brain#658: with the calls on their way the money comes back", 402, """{"error":{"message":"This request would exceed your available credits given your current in-flight requests. Retry after in-flight requests settle, or add credits.","code":402,"metadata":{"reason":"in_flight_budget_exhausted"}}}""", "unreachable", "TryAgain", 5 },
        { "openrouter", "astrio-labs/forall#76: a smaller one would be paid", 402, """{"error":{"message":"This request requires more credits, or fewer max_tokens. You requested up to 64000 tokens, but can only afford 2666.","code":402,"metadata":{"provider_name":null}}}""", "too large", "LeaveModel", null },
        {
            "openrouter", "none at all", 402,
            """{"error":{"message":"Insufficient credits. Add more using https://openrouter.ai/settings/credits","code":402}}""",
            "out of credit", "SeekAgain", 600
        },
        { "openrouter", "open-webui/computer#293", 429, """{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"m is temporarily rate-limited upstream. Please retry shortly.","provider_name":"BaseTen","limit_source":"upstream_provider_shared_pool"}}}""", "throttled", "SeekAgain", 5 },
        { "openrouter", "its words, after the 200", 200, """{"error":{"message":"Provider returned error","code":502,"metadata":{"provider_name":"X","raw":"upstream"}},"user_id":"user_1"}""", "unreachable", "TryAgain", null },
        { "openrouter", "gethouston/houston#1211: it broke off in the middle", 200, """{"choices":[{"finish_reason":"error","error":{"code":502,"message":"Network connection lost."},"message":{"content":"Half an ans"}}],"usage":{"prompt_tokens":10,"completion_tokens":3}}""", "malformed answer", "TryAgain", null },
        { "openrouter", "moderation is a 403; the key is good", 403, """{"error":{"message":"m requires moderation on X. Your input was flagged for \"violence\".","code":403,"metadata":{"reasons":["violence"],"flagged_input":"…"}}}""", "content refused", "LeaveModel", null },
        {
            "openrouter", "nobody serves it", 404, """{"error":{"message":"No endpoints found for meta/none.","code":404}}""", "model gone",
            "LeaveModel", null
        },
        {
            "openrouter", "nobody serves it with that", 404,
            """{"error":{"message":"No endpoints found that support image input","code":404}}""", "unsupported", "LeaveModel", null
        },
        // ---- Local: llama.cpp, Ollama, vLLM ----
        {
            "local", "llama.cpp loads its model", 503, """{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}""",
            "unreachable", "TryAgain", null
        },
        { "local", "llama.cpp", 400, """{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":8192}}""", "context exceeded", "LeaveModel", null },
        {
            "local", "Ollama", 404, """{"error":{"message":"model 'none' not found","type":"not_found_error"}}""", "model gone",
            "LeaveModel", null
        },
        { "local", "an error that is a word", 500, """{"error":"llama runner process has terminated"}""", "unreachable", "TryAgain", null },
    };

    [Theory]
    [MemberData(nameof(Errors))]
    public void Each_is_what_it_means_and_not_what_its_number_says(
        string provider, string seen, int status, string body, string outcome, string decision, double? leftAlone)
    {
        var read = ProviderRegistry.Of(provider).Read(new RawAnswer(status, Encoding.UTF8.GetBytes(body), _ => null), Noon);

        Assert.True(outcome == read.Word, $"{provider} ({seen}) {status}: expected '{outcome}', read {read}");
        var decided = RecoveryRule.Decide(read, new Trial("m", 0, 0, OthersWereAnswered: false, HasTime: true, 50, 8192),
            new WorkerOptions(), 0.5);
        Assert.True(decision == decided.GetType().Name, $"{provider} ({seen}) {status}: expected {decision}, decided {decided}");
        TimeSpan? alone = read switch
        {
            CallOutcome.Throttled t => t.Wait,
            CallOutcome.Unreachable u => u.Wait,
            CallOutcome.OutOfCredit => TimeSpan.FromMinutes(10),
            _ => null,
        };
        Assert.Equal(leftAlone, alone is { } a ? Math.Round(a.TotalSeconds, 3) : null);
    }

    [Fact]
    public void Every_provider_is_in_the_table() =>
        Assert.Equal(["anthropic", "gemini", "groq", "local", "mistral", "openai", "openrouter"],
            Errors.Select(row => row.Data.Item1).Distinct().Order(StringComparer.Ordinal));

    [Fact]
    public void What_an_upstream_said_is_kept()
    {
        var read = (CallOutcome.Throttled)ProviderRegistry.Of("openrouter").Read(
            new RawAnswer(429,
                Encoding.UTF8.GetBytes(
                    """{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"m is rate-limited upstream"}}}"""),
                _ => null),
            Noon);

        Assert.Equal("Provider returned error: m is rate-limited upstream", read.Detail);
    }
}
