namespace LlmQueue.Api.Wire;

/// <summary>The header <c>Prefer</c> (RFC 7240): <c>respond-async</c>, or <c>wait=10</c> for an answer within so many seconds.</summary>
public static class Prefer
{
    private const int Longest = 600;

    /// <summary>
    /// How long the caller would wait; null when it did not say, zero for respond-async alone. Said back in <c>Preference-Applied</c>.
    /// </summary>
    public static TimeSpan? Wait(HttpContext context)
    {
        var wishes = context.Request.Headers["Prefer"].SelectMany(line => (line ?? "").Split(',', ';')).Select(w => w.Trim()).ToList();
        var wait = wishes.Select(Seconds).FirstOrDefault(s => s is not null);
        var async = wishes.Contains("respond-async", StringComparer.OrdinalIgnoreCase);
        if (wait is null && !async)
            return null;
        context.Response.Headers["Preference-Applied"] = wait is { } seconds ? $"wait={seconds}" : "respond-async";
        context.Response.Headers.Append("Vary", "Prefer");
        return TimeSpan.FromSeconds(wait ?? 0);
    }

    private static int? Seconds(string wish) =>
        wish.Split('=', 2, StringSplitOptions.TrimEntries) is ["wait", var text]
            && int.TryParse(text.Trim('"'), out var seconds)
            && seconds >= 0
            ? Math.Min(seconds, Longest)
            : null;
}
