using LlmQueue.Limits;

namespace LlmQueue.Worker.Calling.Reading;

/// <summary>The headers that describe one window of a provider's limits.</summary>
/// <param name="Limit">What the window allows; null where no header says it.</param>
/// <param name="Remaining">What is left of it.</param>
/// <param name="Reset">When it is full again; null where no header says it.</param>
public sealed record WindowHeaders(string? Limit, string Remaining, string? Reset)
{
    /// <summary>OpenAI's names, which most others have copied: <c>x-ratelimit-limit-tokens</c>.</summary>
    public static WindowHeaders Of(string what) =>
        new($"x-ratelimit-limit-{what}", $"x-ratelimit-remaining-{what}", $"x-ratelimit-reset-{what}");

    /// <summary>Null when neither header can be read.</summary>
    public WindowCount? Read(Func<string, string?> header)
    {
        var (limit, remaining) = (Limit is null ? null : WireValue.Number(header(Limit)), WireValue.Number(header(Remaining)));
        return limit is null && remaining is null ? null : new WindowCount(limit, remaining);
    }

    /// <summary>
    /// How long until the window that has nothing left is full, the longest of several; null when none is empty or says when.
    /// </summary>
    public static TimeSpan? EmptyWindowResets(IEnumerable<WindowHeaders> windows, Func<string, string?> header, DateTimeOffset now)
    {
        TimeSpan? latest = null;
        foreach (var window in windows)
        {
            if (window.Reset is not { } reset || WireValue.Number(header(window.Remaining)) is not 0)
                continue;
            if (WireValue.TimeLeft(header(reset), now) is { } wait && !(latest > wait))
                latest = wait;
        }

        return latest;
    }
}

/// <summary>The count of one window, as headers give it.</summary>
/// <param name="Limit">What it allows.</param>
/// <param name="Remaining">What is left of it.</param>
public sealed record WindowCount(double? Limit, double? Remaining);

/// <summary>Puts the counts of windows into the provider's count.</summary>
public static class ProviderCounts
{
    extension(ProviderCount count)
    {
        public ProviderCount WithRequests(WindowCount? window, bool ofDay = false) => ofDay
            ? count with { LimitRequestsDay = window?.Limit, RemainingRequestsDay = window?.Remaining }
            : count with { LimitRequestsMinute = window?.Limit, RemainingRequestsMinute = window?.Remaining };

        public ProviderCount WithTokens(WindowCount? window) =>
            count with { LimitTokensMinute = window?.Limit, RemainingTokensMinute = window?.Remaining };

        /// <summary>Over what the headers told, the limit that a refusal names for its window.</summary>
        public ProviderCount WithNamed(NamedLimit named) => named switch
        {
            { Window: LimitWindow.RequestsPerMinute, Limit: { } limit } => count with { LimitRequestsMinute = limit },
            { Window: LimitWindow.RequestsPerDay, Limit: { } limit } => count with { LimitRequestsDay = limit },
            { Window: LimitWindow.TokensPerMinute, Limit: { } limit } => count with { LimitTokensMinute = limit },
            { Window: LimitWindow.TokensPerDay, Limit: { } limit } => count with { LimitTokensDay = limit },
            _ => count,
        };
    }
}
