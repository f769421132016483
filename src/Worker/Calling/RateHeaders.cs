using System.Globalization;
using System.Text.RegularExpressions;
using LlmQueue.Store.Limits;

namespace LlmQueue.Worker.Calling;

/// <summary>Reads what providers say of their limits: headers first, then the words of an error body.</summary>
public static partial class RateHeaders
{
    /// <summary>
    /// Groq: x-ratelimit-*-requests is the day, *-tokens the minute. OpenAI uses the same names for the minute of both, so for any other provider
    /// the requests' window is told by how long a full refill takes.
    /// </summary>
    public static ProviderCount? Count(Func<string, string?> header, string provider)
    {
        var limitRequests = Number(header("x-ratelimit-limit-requests"));
        var remainingRequests = Number(header("x-ratelimit-remaining-requests"));
        var requestsAreDaily = string.Equals(provider, "groq", StringComparison.Ordinal);
        var count = new ProviderCount
        {
            LimitRequestsDay = requestsAreDaily ? limitRequests : null,
            RemainingRequestsDay = requestsAreDaily ? remainingRequests : null,
            LimitRequestsMinute = requestsAreDaily ? Number(header("x-ratelimit-limit-req-minute")) : limitRequests ?? Number(header("x-ratelimit-limit-req-minute")),
            RemainingRequestsMinute = requestsAreDaily ? Number(header("x-ratelimit-remaining-req-minute")) : remainingRequests ?? Number(header("x-ratelimit-remaining-req-minute")),
            LimitTokensMinute = Number(header("x-ratelimit-limit-tokens")) ?? Number(header("x-ratelimit-limit-tokens-minute")),
            RemainingTokensMinute = Number(header("x-ratelimit-remaining-tokens")) ?? Number(header("x-ratelimit-remaining-tokens-minute")),
        };
        return count == new ProviderCount() ? null : count;
    }

    /// <summary>How long to wait: the exact words of the body before the header, which is rounded to whole seconds; a positive default where neither says.</summary>
    public static TimeSpan Wait(string? retryAfter, string body, DateTimeOffset now)
    {
        if (TryAgainIn().Match(body) is { Success: true } match && Duration(match.Groups[1].Value) is { } exact)
            return exact;
        if (double.TryParse(retryAfter, CultureInfo.InvariantCulture, out var seconds) && seconds >= 0)
            return TimeSpan.FromSeconds(Math.Min(seconds, TimeSpan.FromDays(2).TotalSeconds));
        if (DateTimeOffset.TryParse(retryAfter, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) && at > now)
            return at - now;
        if (Duration(retryAfter) is { } duration)
            return duration;
        return TimeSpan.FromSeconds(5);
    }

    /// <summary>Which window a refusal speaks of, from its words; null where it does not say.</summary>
    public static LimitWindow? Window(string body) =>
        body.Contains("(TPM)", StringComparison.Ordinal) || body.Contains("tokens per minute", StringComparison.OrdinalIgnoreCase) ? LimitWindow.TokensPerMinute
        : body.Contains("(TPD)", StringComparison.Ordinal) || body.Contains("tokens per day", StringComparison.OrdinalIgnoreCase) ? LimitWindow.TokensPerDay
        : body.Contains("(RPM)", StringComparison.Ordinal) || body.Contains("requests per minute", StringComparison.OrdinalIgnoreCase) ? LimitWindow.RequestsPerMinute
        : body.Contains("(RPD)", StringComparison.Ordinal) || body.Contains("requests per day", StringComparison.OrdinalIgnoreCase) ? LimitWindow.RequestsPerDay
        : null;

    /// <summary>The limit a refusal names ("Limit 6000, Used …"); null where it does not.</summary>
    public static double? Limit(string body) => LimitWords().Match(body) is { Success: true } match ? Number(match.Groups[1].Value) : null;

    /// <summary>What the headers told, and over it the limit that a refusal names for its window.</summary>
    public static ProviderCount? WithWords(ProviderCount? count, string body) => (Window(body), Limit(body)) switch
    {
        (LimitWindow.RequestsPerMinute, { } limit) => (count ?? new()) with { LimitRequestsMinute = limit },
        (LimitWindow.RequestsPerDay, { } limit) => (count ?? new()) with { LimitRequestsDay = limit },
        (LimitWindow.TokensPerMinute, { } limit) => (count ?? new()) with { LimitTokensMinute = limit },
        (LimitWindow.TokensPerDay, { } limit) => (count ?? new()) with { LimitTokensDay = limit },
        _ => count,
    };

    /// <summary>A Go duration: "2m59.56s", "7.66s", "1h2m3s", "235ms". Null for anything else.</summary>
    public static TimeSpan? Duration(string? text)
    {
        if (string.IsNullOrWhiteSpace(text))
            return null;
        var total = TimeSpan.Zero;
        var length = 0;
        foreach (Match part in DurationPart().Matches(text))
        {
            var value = double.Parse(part.Groups[1].Value, CultureInfo.InvariantCulture);
            total += part.Groups[2].Value switch
            {
                "d" => TimeSpan.FromDays(value),
                "h" => TimeSpan.FromHours(value),
                "m" => TimeSpan.FromMinutes(value),
                "s" => TimeSpan.FromSeconds(value),
                "ms" => TimeSpan.FromMilliseconds(value),
                _ => TimeSpan.FromMicroseconds(value),
            };
            length += part.Length;
        }

        return length == text.Trim().Length && length > 0 ? total : null;
    }

    private static double? Number(string? text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number >= 0 ? number : null;

    [GeneratedRegex(@"try again in ((?:[0-9.]+(?:ms|us|µs|d|h|m|s))+)", RegexOptions.IgnoreCase)]
    private static partial Regex TryAgainIn();

    [GeneratedRegex(@"([0-9]+(?:\.[0-9]+)?)(ms|us|µs|d|h|m|s)")]
    private static partial Regex DurationPart();

    [GeneratedRegex(@"Limit:? ([0-9]+)", RegexOptions.IgnoreCase)]
    private static partial Regex LimitWords();
}
