using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace LlmQueue.Embedded;

/// <summary>The installed programs of one PostgreSQL version, and how to run them as a user PostgreSQL accepts.</summary>
/// <param name="Folder">Holds initdb, pg_ctl and postgres.</param>
/// <param name="Major">The major version, for example 15.</param>
public sealed record PostgresPrograms(string Folder, int Major)
{
    /// <summary>PostgreSQL refuses to run as root, so root hands its data folder to the user that the packages make for this.</summary>
    public static bool MustSwitchUser => Environment.IsPrivilegedProcess;

    public const string ServerUser = "postgres";

    /// <summary>The newest installed version, or the newest of <paramref name="major"/> where a data folder already asks for one.</summary>
    public static async Task<PostgresPrograms> Find(int? major, CancellationToken cancel)
    {
        var found = new List<PostgresPrograms>();
        foreach (var folder in CandidateFolders().Distinct(StringComparer.Ordinal))
        {
            if (await VersionIn(folder, cancel) is { } version)
            {
                found.Add(new PostgresPrograms(folder, version));
            }
        }

        var newestFirst = found.OrderByDescending(programs => programs.Major).ToList();
        return newestFirst.Find(programs => major is null || programs.Major == major)
            ?? throw new InvalidOperationException(
                newestFirst is [var other, ..]
                    ? $"The data folder was made by PostgreSQL {major}, but the installed programs are "
                        + $"version {other.Major} ({other.Folder}): "
                        + $"install PostgreSQL {major} beside it, or move the data with pg_upgrade, "
                        + "or name another folder with LLMQUEUE_DATA."
                    : "PostgreSQL's server programs (initdb, pg_ctl, postgres) were not found on the PATH, "
                        + "in PG_BIN or in /usr/lib/postgresql: "
                        + "install PostgreSQL (on Debian: apt-get install postgresql), or name a server with DATABASE_URL."
            );
    }

    private static IEnumerable<string> CandidateFolders()
    {
        if (Environment.GetEnvironmentVariable("PG_BIN") is { Length: > 0 } named)
        {
            return [named];
        }

        var onPath = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        return onPath
            .Concat(Versioned("/usr/lib/postgresql", "*"))
            .Concat(Versioned("/usr", "pgsql-*"))
            .Concat(Versioned("/opt/homebrew/opt", "postgresql*"))
            .Concat(Versioned("/usr/local/opt", "postgresql*"));
    }

    private static IEnumerable<string> Versioned(string parent, string pattern) =>
        Directory.Exists(parent) ? Directory.GetDirectories(parent, pattern).Select(folder => Path.Combine(folder, "bin")) : [];

    private static async Task<int?> VersionIn(string folder, CancellationToken cancel)
    {
        string[] needed = ["initdb", "pg_ctl", "postgres"];
        if (!needed.All(program => File.Exists(Path.Combine(folder, program))))
        {
            return null;
        }

        // "pg_ctl (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"; an unreleased one says "18beta1".
        var (code, output) = await Run(Path.Combine(folder, "pg_ctl"), ["--version"], asServerUser: false, cancel);
        var digits = string.Concat(output[(output.IndexOf(')', StringComparison.Ordinal) + 1)..].TrimStart().TakeWhile(char.IsAsciiDigit));
        return code == 0 && int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var major) ? major : null;
    }

    public Task<(int Code, string Output)> Run(string program, IEnumerable<string> arguments, CancellationToken cancel) =>
        Run(Path.Combine(Folder, program), arguments, MustSwitchUser, cancel);

    /// <summary>Runs to the end and hands back everything it printed.</summary>
    public static async Task<(int Code, string Output)> Run(
        string program, IEnumerable<string> arguments, bool asServerUser, CancellationToken cancel)
    {
        string[] command = asServerUser ? ["runuser", "-u", ServerUser, "--", program, .. arguments] : [program, .. arguments];
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            // The other user may be shut out of the folder we were started in.
            WorkingDirectory = "/",
        };
        // Sentences are read by us; a translated one would not be understood.
        start.Environment["LC_ALL"] = "C";
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{command[0]} could not be started.");
        process.StandardInput.Close();
        var output = new StringBuilder();
        process.OutputDataReceived += (_, line) => Append(output, line.Data);
        process.ErrorDataReceived += (_, line) => Append(output, line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        await process.WaitForExitAsync(cancel);
        lock (output)
        {
            return (process.ExitCode, output.ToString().Trim());
        }
    }

    private static void Append(StringBuilder output, string? line)
    {
        lock (output)
        {
            output.AppendLine(line);
        }
    }
}
