using System.Globalization;

namespace LlmQueue.Tests.Chaos;

public sealed class ClockFaultTests(ChaosServers servers) : IClassFixture<ChaosServers>
{
    // The library that stands between a process and its clock: https://github.com/wolfcw/libfaketime. Its debian package is libfaketime.
    private static readonly string[] Libraries =
    [
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
        "/usr/lib64/faketime/libfaketime.so.1",
    ];

    /// <summary>
    /// The clock of one of two workers jumps ahead by an hour and then behind by two, as after a pause of its machine or a correction.
    /// Nothing ends early or late for it: no task is lost, nothing is called twice, and the provider's limits, which have a clock of
    /// their own, are kept.
    /// </summary>
    [Fact]
    public async Task Loses_and_doubles_nothing_when_a_workers_clock_jumps()
    {
        var library = Array.Find(Libraries, File.Exists);
        Assert.SkipWhen(library is null,
            "libfaketime is not installed (Debian: apt-get install libfaketime), and nothing else moves the clock of one process.");
        await using var installation = await Installation.Start(servers, new Shape
        {
            Variables = (i, worker) => worker > 0 ? [] : new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["LD_PRELOAD"] = library, ["FAKETIME_TIMESTAMP_FILE"] = Show(i, TimeSpan.Zero), ["FAKETIME_NO_CACHE"] = "1",
                ["FAKETIME_DONT_FAKE_MONOTONIC"] = "1", ["DONT_FAKE_MONOTONIC"] = "1",
            },
        });
        await installation.Run(
            (100, () => Jump(installation, TimeSpan.FromHours(1))),
            (250, () => Jump(installation, TimeSpan.FromHours(-1))));
        await Invariant.Check(installation);
        var refused = (await installation.Simulator.Log()).Count(call => call.Status == 429);
        Assert.InRange(refused, 0, 5);
    }

    private static Task Jump(Installation installation, TimeSpan to)
    {
        Show(installation, to);
        return Task.CompletedTask;
    }

    private static string Show(Installation installation, TimeSpan offset)
    {
        var file = Path.Combine(installation.Home, "clock");
        var next = file + ".next";
        File.WriteAllText(next, offset.TotalSeconds.ToString("+0;-0;+0", CultureInfo.InvariantCulture) + "\n");
        File.Move(next, file, overwrite: true);
        return file;
    }
}
