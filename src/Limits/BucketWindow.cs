namespace LlmQueue.Limits;

/// <summary>
/// The arithmetic of one window of a bucket: its capacity, and how its level rises with time. Null is a window without a limit.
/// </summary>
internal static class BucketWindow
{
    /// <summary>
    /// A call reaches the provider a moment after its reservation. While our bucket already refills, theirs is still full and gains
    /// nothing: at a burst they are behind by rate × delay. Half a percent of a minute's limit is 0.3 s of it.
    /// </summary>
    private const double MinuteHeadroom = 0.995;

    public static double Full(double? limit, TimeSpan window) => limit is null ? 0 : Capacity(limit, window);

    public static bool IsFull(double level, double? limit) => limit is not null && level >= Capacity(limit, BucketRule.Minute) - 1e-6;

    public static TimeSpan Past(DateTime from, DateTime now) => now > from ? now - from : TimeSpan.Zero;

    /// <summary>
    /// A whole request of a minute that has only one stays a whole one: with the headroom taken off, nothing would ever fit.
    /// </summary>
    public static double Capacity(double? limit, TimeSpan window) =>
        limit is { } l ? (window == BucketRule.Minute ? Math.Max(l * MinuteHeadroom, Math.Min(l, 1)) : l) : double.PositiveInfinity;

    public static double Capped(double level, double? limit, TimeSpan window) =>
        limit is null ? 0 : Math.Min(level, Capacity(limit, window));

    public static double Refilled(double level, double? limit, TimeSpan window, TimeSpan passed) =>
        limit is null ? level : Math.Min(Capacity(limit, window), level + (limit.Value * (passed / window)));

    public static double LevelThatOpens(double level, double? limit, TimeSpan window, double need, TimeSpan wait) =>
        limit is null ? level : Math.Min(level, need - limit.Value * (wait / window));
}
