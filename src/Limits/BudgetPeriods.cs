namespace LlmQueue.Limits;

/// <summary>
/// Budgets and their periods. Pure. A scope is "installation", "tenant:NAME" or "class:NAME" (a task's agent or kind); a period is
/// "day" or "month", in UTC.
/// </summary>
public static class BudgetPeriods
{
    public const string Installation = "installation";
    public const string Day = "day";
    public const string Month = "month";

    /// <summary>installation/2026-11-21, tenant:alice/2026-11.</summary>
    public static string Id(string scope, string period, DateTime now) =>
        period == Month ? $"{scope}/{now:yyyy-MM}" : $"{scope}/{now:yyyy-MM-dd}";

    public static Budget NewRow(string scope, string period, decimal? limitUsd, DateTime now)
    {
        var start = period == Month
            ? new DateTime(now.Year, now.Month, 1, 0, 0, 0, DateTimeKind.Utc)
            : DateTime.SpecifyKind(now.Date, DateTimeKind.Utc);
        return new Budget
        {
            Id = Id(scope, period, now), Scope = scope, PeriodStart = start,
            PeriodEnd = period == Month ? start.AddMonths(1) : start.AddDays(1), LimitUsd = limitUsd,
        };
    }

    /// <summary>What is wrong with a scope and period, as a sentence; null when nothing is.</summary>
    public static string? WhatIsWrong(string scope, string period) =>
        period is not (Day or Month) ? $"The period '{period}' is unknown; expected 'day' or 'month'."
        : scope == Installation
            || (scope.StartsWith("tenant:", StringComparison.Ordinal) && scope.Length > 7)
            || (scope.StartsWith("class:", StringComparison.Ordinal) && scope.Length > 6)
            ? scope.Contains('/', StringComparison.Ordinal) || scope.Contains(' ', StringComparison.Ordinal)
            ? $"The scope '{scope}' has a space or a slash; expected a name without them."
            : null
        : $"The scope '{scope}' is unknown; expected 'installation', 'tenant:NAME' or 'class:NAME' (a task's agent or kind).";
}

/// <summary>The thresholds of quotas and budgets at which an alert is published. Pure.</summary>
public static class ThresholdRule
{
    public static readonly IReadOnlyList<int> Percents = [80, 90, 95];

    /// <summary>
    /// The highest threshold that lies above <paramref name="before"/> and not above <paramref name="after"/>; null when none was crossed.
    /// Both are shares, 0 to 1.
    /// </summary>
    public static int? Crossed(double before, double after)
    {
        int? crossed = null;
        foreach (var percent in Percents)
            if (before < percent / 100.0 && after >= percent / 100.0)
                crossed = percent;
        return crossed;
    }

    /// <summary>The used share of a budget, work in flight included; 0 when it is unlimited.</summary>
    public static double UsedShare(Budget budget) =>
        budget.LimitUsd is { } limit ? limit <= 0 ? 1 : (double)((budget.SpentUsd + budget.InFlightUsd) / limit) : 0;

    /// <summary>
    /// The used share of a bucket's day: its requests' or its tokens', whichever is more. A minute's window is meant to be used up
    /// and is not spoken of.
    /// </summary>
    public static double UsedDayShare(TokenBucket bucket)
    {
        var requests = bucket.RequestsPerDay is > 0 and { } rpd ? 1 - (bucket.LevelRequestsDay / rpd) : 0;
        var tokens = bucket.TokensPerDay is > 0 and { } tpd ? 1 - (bucket.LevelTokensDay / tpd) : 0;
        return Math.Max(requests, tokens);
    }
}
