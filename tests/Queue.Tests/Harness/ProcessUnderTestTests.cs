using System.Globalization;

namespace LlmQueue.Tests.Harness;

public sealed class ProcessUnderTestTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task Hears_lines_and_learns_the_exit_code()
    {
        await using var process = ProcessUnderTest.Start("sh", ["-c", "echo one; echo \"$COLOUR\" >&2; exit 3"],
            Environment("COLOUR", "blue"));

        await process.WaitForLine("one", Soon);
        await process.WaitForLine("blue", Soon);

        Assert.Equal(3, await process.ExitCode(Soon));
    }

    [Fact]
    public async Task Says_what_was_printed_when_the_line_does_not_come()
    {
        await using var process = ProcessUnderTest.Start("sh", ["-c", "echo the reason"]);

        var problem = await Assert.ThrowsAsync<InvalidOperationException>(() => process.WaitForLine("ready", Soon));

        Assert.Contains("the reason", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Terminates_in_order_and_kills_without_asking()
    {
        await using var polite = Sleeper("trap 'echo bye; exit 0' TERM");
        await polite.WaitForLine("ready", Soon);
        polite.Terminate();
        await polite.WaitForLine("bye", Soon);
        Assert.Equal(0, await polite.ExitCode(Soon));

        await using var stubborn = Sleeper("trap '' TERM");
        await stubborn.WaitForLine("ready", Soon);
        stubborn.Terminate();
        await stubborn.Kill();
        Assert.Equal(128 + (int)PosixSignalNumber.Kill, await stubborn.ExitCode(Soon));
    }

    [Fact]
    public async Task Dies_with_the_process_that_started_it()
    {
        // A twin of the launcher, run by a shell that is killed: its end of the pipe closes as ours would.
        await using var parent = ProcessUnderTest.Start(
            "sh",
            ["-c",
                "mkfifo \"$1/pipe\"; sh -c \"$2\" sh \"$1\" sleep 600 <\"$1/pipe\" & echo child $!; exec 4>\"$1/pipe\"; echo ready; wait",
                "sh", Doomed(out var doomed), ProcessUnderTest.Launcher]
        );
        var child = (await parent.WaitForLine("child", Soon)).Split(' ')[1];
        await parent.WaitForLine("ready", Soon);
        Assert.True(Lives(child));

        await parent.Kill();

        await Eventually.True("the child is gone", Soon, () => !Lives(child));
        await Eventually.True("its folder is gone", Soon, () => !Directory.Exists(doomed));
    }

    private static ProcessUnderTest Sleeper(string trap) =>
        ProcessUnderTest.Start("sh", ["-c", $"{trap}; echo ready; while :; do sleep 0.1; done"]);

    private static string Doomed(out string folder) => folder = Directory.CreateTempSubdirectory("llmqueue-doomed-").FullName;

    private static bool Lives(string process)
    {
        try
        {
            using var found = System.Diagnostics.Process.GetProcessById(int.Parse(process, CultureInfo.InvariantCulture));
            return !found.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private static Dictionary<string, string?> Environment(string name, string value) => new(StringComparer.Ordinal) { [name] = value };
}
