using System.Globalization;
using ProviderSimulator.Settings;

namespace ProviderSimulator.Limits;

/// <summary>
/// Groq's headers: "requests" is always the day, "tokens" always the minute. RPM and TPD have none, so a client has to keep
/// its own account of them. https://console.groq.com/docs/rate-limits
/// </summary>
internal static class RateHeaders
{
    public static void Write(IHeaderDictionary headers, Account account, ModelCard card, bool withTokens, double nowSeconds)
    {
        if (account.Stand(card, LimitWindow.RequestsPerDay, nowSeconds) is { } requests)
        {
            headers["x-ratelimit-limit-requests"] = Number(requests.Limit);
            headers["x-ratelimit-remaining-requests"] = Number(requests.Remaining);
            headers["x-ratelimit-reset-requests"] = GoDuration.Format(requests.TimeToFull);
        }

        if (withTokens && account.Stand(card, LimitWindow.TokensPerMinute, nowSeconds) is { } tokens)
        {
            headers["x-ratelimit-limit-tokens"] = Number(tokens.Limit);
            headers["x-ratelimit-remaining-tokens"] = Number(tokens.Remaining);
            headers["x-ratelimit-reset-tokens"] = GoDuration.Format(tokens.TimeToFull);
        }
    }

    public static void RetryAfter(IHeaderDictionary headers, TimeSpan wait) => headers.RetryAfter = Number(GoDuration.WholeSeconds(wait));

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
