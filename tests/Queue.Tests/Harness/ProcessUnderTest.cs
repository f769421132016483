using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Threading.Channels;

namespace LlmQueue.Tests.Harness;

/// <summary>
/// A real process, to be killed and waited for. It never outlives the tests: its launcher leaves a watcher behind that holds one end
/// of a pipe to us, and the kernel closes our end however we die. (PR_SET_PDEATHSIG is no way: it fires when the <em>thread</em>
/// that started the process ends, as pool threads do, and a change of user clears it.) The launcher then becomes the program, so the
/// id is the program's own.
/// </summary>
public sealed class ProcessUnderTest : IAsyncDisposable
{
    // The watcher shrugs off the Ctrl-C that ends the tests, as it is there for what comes after. Both outputs are one, as nobody could
    // tell the order of lines from two pipes. $1 is what to remove once the process is gone; a line on the pipe means that we have seen
    // to both ourselves.
    internal const string Launcher = """
        exec 2>&1
        doomed=$1; shift
        exec 3<&0 </dev/null
        ( trap '' HUP INT TERM; IFS= read -r word <&3; [ "$word" = released ] && exit; kill -9 $$; sleep 1; [ -z "$doomed" ] || rm -rf -- "$doomed" ) >/dev/null 2>&1 &
        exec 3<&-
        exec "$@"
        """;

    private readonly Process process;
    private readonly ConcurrentQueue<string> lines = new();
    private readonly Channel<string> unread = Channel.CreateUnbounded<string>();
    private readonly string name;

    private ProcessUnderTest(string name, Process process)
    {
        (this.name, this.process) = (name, process);
        process.OutputDataReceived += (_, line) => Hear(line.Data);
        process.BeginOutputReadLine();
    }

    public int Id => process.Id;

    public bool HasExited => process.HasExited;

    /// <summary>Everything printed so far, standard output and standard error as one.</summary>
    public IReadOnlyCollection<string> Output => lines;

    public static ProcessUnderTest StartDotnet(
        string dll, IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment = null) =>
        Start("dotnet", [dll, .. arguments], environment);

    /// <summary>
    /// The environment is added to ours; null takes a variable away. The doomed folder goes together with the process,
    /// should the tests die.
    /// </summary>
    public static ProcessUnderTest Start(
        string program,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string?>? environment = null,
        string workingDirectory = "/",
        string doomed = ""
    )
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", Launcher, "sh", doomed, program, .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            WorkingDirectory = workingDirectory,
        };
        foreach (var (key, value) in environment ?? new Dictionary<string, string?>(StringComparer.Ordinal))
        {
            start.Environment[key] = value;
        }

        return new ProcessUnderTest(Path.GetFileName(program), Process.Start(start)!);
    }

    /// <summary>The next line, not yet waited for, that <paramref name="wanted"/> accepts.</summary>
    public async Task<string> WaitForLine(Func<string, bool> wanted, TimeSpan within)
    {
        using var ceiling = new CancellationTokenSource(within);
        try
        {
            await foreach (var line in unread.Reader.ReadAllAsync(ceiling.Token))
            {
                if (wanted(line))
                {
                    return line;
                }
            }
        }
        catch (OperationCanceledException late)
        {
            throw new TimeoutException($"{name} did not print the line within {within.TotalSeconds:0.#} s.\n{Tail()}", late);
        }

        throw new InvalidOperationException($"{name} ended without printing the line.\n{Tail()}");
    }

    public Task<string> WaitForLine(string containing, TimeSpan within) =>
        WaitForLine(line => line.Contains(containing, StringComparison.Ordinal), within);

    /// <summary>Waits for the end and all of the output.</summary>
    public async Task<int> ExitCode(TimeSpan within)
    {
        using var ceiling = new CancellationTokenSource(within);
        try
        {
            await process.WaitForExitAsync(ceiling.Token);
            return process.ExitCode;
        }
        catch (OperationCanceledException late)
        {
            throw new TimeoutException($"{name} (process {Id}) did not end within {within.TotalSeconds:0.#} s.\n{Tail()}", late);
        }
    }

    /// <summary>kill -9: no chance to tidy up.</summary>
    public async Task Kill()
    {
        Send(PosixSignalNumber.Kill);
        await ExitCode(TimeSpan.FromSeconds(10));
    }

    /// <summary>SIGTERM, as an orderly stop of a service sends it; returns at once.</summary>
    public void Terminate() => Send(PosixSignalNumber.Terminate);

    /// <summary>Only ever to the process that we started: one that has ended gets nothing, as its number may be another's by now.</summary>
    public void Send(PosixSignalNumber signal)
    {
        if (!process.HasExited)
        {
            _ = kill(process.Id, (int)signal);
        }
    }

    public string Tail(int count = 40) => string.Join('\n', lines.TakeLast(count));

    public async ValueTask DisposeAsync()
    {
        await Kill();
        try
        {
            await process.StandardInput.WriteLineAsync("released");
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The watcher has gone already.
        }

        process.Dispose();
    }

    private void Hear(string? line)
    {
        if (line is not null)
        {
            lines.Enqueue(line);
            unread.Writer.TryWrite(line);
        }
        else
        {
            unread.Writer.TryComplete();
        }
    }

    [DllImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int kill(int process, int signal);
}

/// <summary>The numbers that Linux and macOS share; .NET's own PosixSignal has no kill and cannot be sent.</summary>
public enum PosixSignalNumber
{
    Interrupt = 2,
    Quit = 3,
    Kill = 9,
    Terminate = 15,
}
