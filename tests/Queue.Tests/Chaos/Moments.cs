using System.Globalization;

namespace LlmQueue.Tests.Chaos;

/// <summary>When the faults happened, and how long it took until tasks were completed again: printed with each test.</summary>
internal sealed class Moments
{
    private readonly List<Fault> faults = [];
    private readonly List<TimeSpan> recoveries = [];
    private readonly List<int> open = [];
    private TimeSpan longest;

    public IReadOnlyList<Fault> Faults => faults;

    public async Task Of(Func<Task> fault)
    {
        var began = TimeProvider.System.GetUtcNow();
        await fault();
        faults.Add(new Fault(began, TimeProvider.System.GetUtcNow()));
    }

    public async Task Report(Installation installation)
    {
        await using var query = installation.Database.CreateCommand("select ended_at from tasks order by ended_at");
        await using var rows = await query.ExecuteReaderAsync(TestContext.Current.CancellationToken);
        var ends = new List<DateTimeOffset>();
        while (await rows.ReadAsync(TestContext.Current.CancellationToken))
        {
            ends.Add(new DateTimeOffset(rows.GetDateTime(0), TimeSpan.Zero));
        }

        if (faults.Count == 0)
        {
            Write("recovery: none, as the fault lasted from beginning to end; the longest gap between two completions was "
                + $"{Seconds(ends.Zip(ends.Skip(1), (earlier, later) => later - earlier).DefaultIfEmpty().Max())}");
        }

        foreach (var (fault, over) in faults)
        {
            recoveries.Add(ends.FirstOrDefault(end => end > over, over) - over);
            var after = ends.Where(end => end > fault).ToList();
            open.Add(after.Count);
            var gap = longest = after.Prepend(fault).Zip(after, (earlier, later) => later - earlier).DefaultIfEmpty().Max();
            Write(
                $"recovery: {after.Count} tasks were open; the fault took {Seconds(over - fault)}, the next completion came after "
                    + $"{Seconds(after.FirstOrDefault(fault) - fault)}, "
                    + $"the next after its end {Seconds(after.FirstOrDefault(end => end > over, over) - over)} later, "
                    + $"the longest gap was {Seconds(gap)}, all had ended after {Seconds(ends[^1] - fault)}"
            );
        }
    }

    /// <summary>From the end of each fault tasks were completed again within this time.</summary>
    public void AssertRecoveredWithin(TimeSpan limit) => Assert.All(recoveries, recovery => Assert.InRange(recovery, TimeSpan.Zero, limit));

    /// <summary>None came when everything was done.</summary>
    public void AssertEachFoundTasksOpen() => Assert.DoesNotContain(0, open);

    /// <summary>At no time after the last fault began did nothing end for longer than this.</summary>
    public void AssertNeverStoodFor(TimeSpan limit) => Assert.InRange(longest, TimeSpan.Zero, limit);

    public static void Write(string line) => TestContext.Current.TestOutputHelper?.WriteLine(line);

    /// <summary>From before the signal until whoever it was for was gone, or was back.</summary>
    public sealed record Fault(DateTimeOffset Began, DateTimeOffset Ended);

    private static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture) + " s";
}
