using System.Net.Http.Headers;
using LlmQueue.Limits;
using LlmQueue.OpenAi;
using LlmQueue.Worker.Calling.Reading;

namespace LlmQueue.Worker.Calling.Providers;

/// <summary>
/// Anthropic's OpenAI-compatible endpoint: docs.anthropic.com/en/api/errors, /en/api/rate-limits, /en/api/openai-sdk,
/// /en/docs/build-with-claude/vision.
/// </summary>
internal sealed class AnthropicProvider() : OpenAiCompatibleProvider("anthropic")
{
    private static readonly WindowHeaders OwnRequests = Own("requests"), OwnTokens = Own("tokens");
    private static readonly WindowHeaders InputTokens = Own("input-tokens"), OutputTokens = Own("output-tokens");

    public override IReadOnlyList<ErrorSign> ErrorSigns { get; } =
    [
        // It sends the balance as a 400 invalid_request_error.
        new(ErrorMeaning.OutOfCredit, (_, error) =>
            error.Names("billing_error") || error.Says("credit balance is too low", "specified API usage limits")),
        new(ErrorMeaning.ContextExceeded, (_, error) => error.Says("prompt is too long")),
        new(ErrorMeaning.Overloaded, (status, error) => status == 529 || error.Names("overloaded_error")),
    ];

    public override IReadOnlyList<WindowHeaders> Windows { get; } = [OwnRequests, OwnTokens, InputTokens, OutputTokens];

    /// <summary>Pixels over 750, the longer side at most 1568.</summary>
    public override int ImageTokens(ImageSize size, string? detail) => size.Within(1568).Pixels / 750 + 1;

    /// <summary>It wants its own header for everything but chat completions.</summary>
    public override void AuthorizeModelList(HttpRequestHeaders headers, string secret)
    {
        base.AuthorizeModelList(headers, secret);
        headers.Add("x-api-key", secret);
        headers.Add("anthropic-version", "2023-06-01");
    }

    /// <summary>Its compatible endpoint tells OpenAI's names instead of its own.</summary>
    protected override ProviderCount ReadCount(Func<string, string?> header, DateTimeOffset now) =>
        new ProviderCount()
            .WithRequests(OwnRequests.Read(header) ?? Requests.Read(header))
            .WithTokens(Tightest(header) ?? Tokens.Read(header));

    /// <summary>Input, output and both together are limited: our one window has what the tightest of the three still gives.</summary>
    private static WindowCount? Tightest(Func<string, string?> header)
    {
        var (input, output) = (InputTokens.Read(header), OutputTokens.Read(header));
        var sum = input?.Limit is { } i && output?.Limit is { } o ? new WindowCount(i + o, null) : input ?? output;
        var both = OwnTokens.Read(header) ?? sum;
        if (both?.Limit is not { } limit)
            return both;
        var shares = new[] { both, input, output }
            .Where(window => window is { Limit: > 0, Remaining: not null })
            .Select(window => window!.Remaining!.Value / window.Limit!.Value).ToList();
        return both with { Remaining = shares.Count == 0 ? null : shares.Min() * limit };
    }

    private static WindowHeaders Own(string what) =>
        new($"anthropic-ratelimit-{what}-limit", $"anthropic-ratelimit-{what}-remaining", $"anthropic-ratelimit-{what}-reset");
}
