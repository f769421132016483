using System.Globalization;
using System.Text.RegularExpressions;
using LlmQueue.Limits;

namespace LlmQueue.Worker.Calling.Reading;

/// <summary>Reads what providers say of their limits: headers first, then the words of an error body. Pure.</summary>
public static partial class RateHeaders
{
    private const string Requests = "requests", Tokens = "tokens";

    /// <summary>What a refill that takes longer than this says: the window is the day's.</summary>
    private static readonly TimeSpan LongestMinute = TimeSpan.FromMinutes(10);

    /// <summary>What the headers tell of each window; null when they tell nothing.</summary>
    public static ProviderCount? Count(Func<string, string?> header, string provider, DateTimeOffset now)
    {
        var count = provider switch
        {
            // console.groq.com/docs/rate-limits: requests are always the day's, tokens always the minute's; the others have no header.
            "groq" => new ProviderCount().WithRequests(Pair(header, Requests), ofDay: true).WithTokens(Pair(header, Tokens)),
            "mistral" => new ProviderCount().WithRequests(Pair(header, "req-minute"), ofDay: false).WithTokens(Pair(header, "tokens-minute") ?? BySize(header)),
            "anthropic" => new ProviderCount().WithRequests(Anthropics(header, Requests) ?? Pair(header, Requests), ofDay: false).WithTokens(AnthropicsTokens(header) ?? Pair(header, Tokens)),
            "openrouter" => new ProviderCount().WithRequests(Bare(header), ofDay: IsFarOff(header("x-ratelimit-reset"), now)),
            // OpenAI and all that copy it: the minute of both, except where a tier counts its requests by the day and says so only by how long they take to come back.
            _ => new ProviderCount().WithRequests(Pair(header, Requests), ofDay: RefillsInADay(header)).WithTokens(Pair(header, Tokens)),
        };
        return count == new ProviderCount() ? null : count;
    }

    /// <summary>What the headers told, and over it the limit that a refusal names for its window.</summary>
    public static ProviderCount? WithWords(ProviderCount? count, ErrorBody error) => (Window(error), Limit(error)) switch
    {
        (LimitWindow.RequestsPerMinute, { } limit) => (count ?? new()) with { LimitRequestsMinute = limit },
        (LimitWindow.RequestsPerDay, { } limit) => (count ?? new()) with { LimitRequestsDay = limit },
        (LimitWindow.TokensPerMinute, { } limit) => (count ?? new()) with { LimitTokensMinute = limit },
        (LimitWindow.TokensPerDay, { } limit) => (count ?? new()) with { LimitTokensDay = limit },
        _ => count,
    };

    /// <summary>Which window a refusal speaks of; the day's goes before the minute's where several are used up. Null where it does not say.</summary>
    public static LimitWindow? Window(ErrorBody error)
    {
        var windows = error.Quotas.Select(q => GooglesWindow(q.Id)).OfType<LimitWindow>().ToList();
        if (windows.Count > 0)
            return windows.Contains(LimitWindow.RequestsPerDay) ? LimitWindow.RequestsPerDay : windows.Contains(LimitWindow.TokensPerDay) ? LimitWindow.TokensPerDay : windows[0];
        return error.Says("(TPM)") || error.Says("tokens per minute") || error.Says("tokens per min") ? LimitWindow.TokensPerMinute
            : error.Says("(TPD)") || error.Says("tokens per day") ? LimitWindow.TokensPerDay
            : error.Says("(RPM)") || error.Says("requests per min") || error.Says("models-per-min") ? LimitWindow.RequestsPerMinute
            : error.Says("(RPD)") || error.Says("requests per day") || error.Says("models-per-day") ? LimitWindow.RequestsPerDay
            : null;
    }

    /// <summary>The limit a refusal names ("Limit 6000, Used …", a quota's value); null where it does not.</summary>
    public static double? Limit(ErrorBody error)
    {
        if (error.Quotas.Count > 0)
        {
            var window = Window(error);
            return error.Quotas.FirstOrDefault(q => GooglesWindow(q.Id) == window).Value;
        }

        return LimitWords().Match(error.Message ?? error.Text) is { Success: true } match ? Number(match.Groups[1].Value) : null;
    }

    /// <summary>When the window that has nothing left is full again, for a refusal that does not say how long; null when none is empty.</summary>
    public static TimeSpan? EmptyWindowResets(Func<string, string?> header, DateTimeOffset now)
    {
        TimeSpan? latest = null;
        foreach (var (remaining, reset) in Resets)
            if (Number(header(remaining)) is 0 && (RetryWait.Duration(header(reset)) ?? SecondsOrMoment(header(reset), now)) is { } wait && !(latest > wait))
                latest = wait;
        return latest;
    }

    internal static double? Number(string? text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number >= 0 && double.IsFinite(number) ? number : null;

    private static readonly (string Remaining, string Reset)[] Resets =
    [
        ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"), ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
        ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"), ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
        ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"), ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
        ("ratelimitbysize-remaining", "ratelimitbysize-reset"), ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ];

    private static Stand? Pair(Func<string, string?> header, string what) => Stand.Of(Number(header($"x-ratelimit-limit-{what}")), Number(header($"x-ratelimit-remaining-{what}")));

    private static Stand? Anthropics(Func<string, string?> header, string what) => Stand.Of(Number(header($"anthropic-ratelimit-{what}-limit")), Number(header($"anthropic-ratelimit-{what}-remaining")));

    private static Stand? BySize(Func<string, string?> header) =>
        Stand.Of(Number(header("x-ratelimitbysize-limit-minute")) ?? Number(header("ratelimitbysize-limit")), Number(header("x-ratelimitbysize-remaining-minute")) ?? Number(header("ratelimitbysize-remaining")));

    private static Stand? Bare(Func<string, string?> header) => Stand.Of(Number(header("x-ratelimit-limit")), Number(header("x-ratelimit-remaining")));

    /// <summary>Anthropic limits input and output apart and both together: our one window has what the tightest of the three still gives.</summary>
    private static Stand? AnthropicsTokens(Func<string, string?> header)
    {
        var (input, output) = (Anthropics(header, "input-tokens"), Anthropics(header, "output-tokens"));
        var both = Anthropics(header, Tokens) ?? (input?.Limit is { } i && output?.Limit is { } o ? new Stand(i + o, null) : input ?? output);
        if (both?.Limit is not { } limit)
            return both;
        var shares = new[] { both, input, output }.OfType<Stand>().Where(w => w is { Limit: > 0, Remaining: not null }).Select(w => w.Remaining!.Value / w.Limit!.Value).ToList();
        return both with { Remaining = shares.Count == 0 ? null : shares.Min() * limit };
    }

    /// <summary>limit × reset / used is the window's length.</summary>
    private static bool RefillsInADay(Func<string, string?> header) =>
        Pair(header, Requests) is { Limit: { } limit, Remaining: { } remaining } && remaining < limit
        && RetryWait.Duration(header("x-ratelimit-reset-requests")) is { } reset && reset * (limit / (limit - remaining)) > LongestMinute;

    private static bool IsFarOff(string? reset, DateTimeOffset now) => RetryWait.Moment(reset) is { } at && at - now > LongestMinute;

    private static TimeSpan? SecondsOrMoment(string? text, DateTimeOffset now) =>
        RetryWait.Moment(text) is { } at ? (at > now ? at - now : null) : Number(text) is { } seconds ? TimeSpan.FromSeconds(seconds) : null;

    private static LimitWindow? GooglesWindow(string quota) => (quota.Contains("Token", StringComparison.Ordinal), quota.Contains("PerDay", StringComparison.Ordinal), quota.Contains("PerMinute", StringComparison.Ordinal)) switch
    {
        (true, true, _) => LimitWindow.TokensPerDay,
        (true, _, true) => LimitWindow.TokensPerMinute,
        (_, true, _) => LimitWindow.RequestsPerDay,
        (_, _, true) => LimitWindow.RequestsPerMinute,
        _ => null,
    };

    private static ProviderCount WithRequests(this ProviderCount count, Stand? stand, bool ofDay) => ofDay
        ? count with { LimitRequestsDay = stand?.Limit, RemainingRequestsDay = stand?.Remaining }
        : count with { LimitRequestsMinute = stand?.Limit, RemainingRequestsMinute = stand?.Remaining };

    private static ProviderCount WithTokens(this ProviderCount count, Stand? stand) => count with { LimitTokensMinute = stand?.Limit, RemainingTokensMinute = stand?.Remaining };

    private sealed record Stand(double? Limit, double? Remaining)
    {
        public static Stand? Of(double? limit, double? remaining) => limit is null && remaining is null ? null : new Stand(limit, remaining);
    }

    [GeneratedRegex(@"Limit:? ([0-9]+)", RegexOptions.IgnoreCase)]
    private static partial Regex LimitWords();
}
