using LlmQueue.Limits;
using LlmQueue.OpenAi;
using LlmQueue.Worker.Calling.Reading;

namespace LlmQueue.Worker.Calling.Providers;

/// <summary>
/// Gemini's OpenAI-compatible endpoint: ai.google.dev/gemini-api/docs/rate-limits, /docs/tokens. It has no headers; a refusal names its
/// quotas in google.rpc.QuotaFailure.
/// </summary>
internal sealed class GeminiProvider() : OpenAiCompatibleProvider("gemini")
{
    public override IReadOnlyList<ErrorSign> ErrorSigns { get; } =
    [
        // A free plan's limit of 0 never refills.
        new(ErrorMeaning.OutOfCredit, (status, error) =>
            status == 429 && (error.Quotas.Any(quota => quota.Value is 0) || (error.Quotas.Count > 0 && error.Says("limit: 0,")))),
        new(ErrorMeaning.ContextExceeded, (_, error) => error.Says("exceeds the maximum number of tokens allowed")),
        // "User location is not supported for the API use."
        new(ErrorMeaning.KeyRefused, (status, error) =>
            status == 400 && error.Says("API key not valid", "API key expired", "location is not supported")),
    ];

    /// <summary>258 where both sides are at most 384, else 258 for each tile of 768.</summary>
    public override int ImageTokens(ImageSize size, string? detail) =>
        258 * (size is { Width: <= 384, Height: <= 384 } ? 1 : size.Within(3072).Tiles(768));

    /// <summary>The day's quota goes before the minute's where several are used up.</summary>
    public override NamedLimit? LimitNamedIn(ErrorBody error)
    {
        if (error.Quotas.Count == 0)
            return null;
        var quotas = error.Quotas.Select(quota => new NamedLimit(WindowOf(quota.Id), quota.Value));
        var named = quotas.Where(quota => quota.Window is not null).ToList();
        foreach (var window in new[] { LimitWindow.RequestsPerDay, LimitWindow.TokensPerDay })
            if (named.Exists(quota => quota.Window == window))
                return named.Find(quota => quota.Window == window);
        return named.Count > 0 ? named[0] : NamedLimit.Read(error) with { Limit = null };
    }

    /// <summary>
    /// A day's quota comes with a delay of seconds: its day ends at midnight on the Pacific coast, and every call until then would be
    /// refused.
    /// </summary>
    public override TimeSpan? LeastWait(ErrorBody error, DateTimeOffset now) =>
        LimitNamedIn(error)?.Window is LimitWindow.RequestsPerDay or LimitWindow.TokensPerDay ? UntilPacificMidnight(now) : null;

    // 08:00 UTC is midnight there in winter and an hour past it in summer: late is harmless, early is refused.
    private static TimeSpan UntilPacificMidnight(DateTimeOffset now)
    {
        var today = new DateTimeOffset(now.UtcDateTime.Date, TimeSpan.Zero).AddHours(8);
        return (today > now ? today : today.AddDays(1)) - now;
    }

    /// <summary>"GenerateRequestsPerDayPerProjectPerModel-FreeTier".</summary>
    private static LimitWindow? WindowOf(string quota)
    {
        var (ofTokens, ofDay) = (quota.Contains("Token", StringComparison.Ordinal), quota.Contains("PerDay", StringComparison.Ordinal));
        if (ofDay)
            return ofTokens ? LimitWindow.TokensPerDay : LimitWindow.RequestsPerDay;
        if (!quota.Contains("PerMinute", StringComparison.Ordinal))
            return null;
        return ofTokens ? LimitWindow.TokensPerMinute : LimitWindow.RequestsPerMinute;
    }
}
