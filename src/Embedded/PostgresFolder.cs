using System.ComponentModel;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace LlmQueue.Embedded;

/// <summary>The folder of the private PostgreSQL: data, log and socket, accessible to both its server and this process.</summary>
/// <param name="Root">Closed to everybody but the server's user (and root).</param>
internal sealed record PostgresFolder(string Root)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    // The kernel holds a socket's path in 108 bytes, and PostgreSQL refuses a longer one.
    private const int LongestSocketPath = 107;

    public string Data => Path.Combine(Root, "data");

    public string Log => Path.Combine(Root, "server.log");

    public string Socket => Fits(Root) ? Root : Path.Combine("/tmp", "llmqueue-" + ShortName(Root));

    /// <summary>The version that made the data; null before the first start.</summary>
    public int? Major()
    {
        var file = Path.Combine(Data, "PG_VERSION");
        return File.Exists(file) ? int.Parse(File.ReadAllText(file).Trim(), NumberStyles.None, CultureInfo.InvariantCulture) : null;
    }

    public static async Task<PostgresFolder> Prepare(string dataFolder, Action<string> say, CancellationToken cancel)
    {
        var folder = new PostgresFolder(Path.Combine(dataFolder, "postgresql"));
        if (PostgresPrograms.MustSwitchUser)
        {
            LetPass(dataFolder);
            if (!await ServerUserReaches(dataFolder, cancel))
            {
                // A checkout under /root is closed to every other user, and opening it is not ours to decide.
                folder = new PostgresFolder(Path.Combine("/var/lib/llmqueue", ShortName(dataFolder)));
                LetPass(Directory.CreateDirectory(Path.GetDirectoryName(folder.Root)!).FullName);
                say($"PostgreSQL does not run as root, and its user {PostgresPrograms.ServerUser} cannot reach "
                    + $"{dataFolder}: its data lies in {folder.Root}.");
            }
        }

        await folder.RefuseForeignData(cancel);
        await Close(folder.Root, cancel);
        if (!Fits(folder.Root))
        {
            await Close(folder.Socket, cancel);
        }

        return folder;
    }

    /// <summary>The process that serves this folder now, left behind by one of ours that was killed; null where there is none.</summary>
    public async Task<int?> RunningServer(CancellationToken cancel)
    {
        var file = Path.Combine(Data, "postmaster.pid");
        if (!File.Exists(file)
            || !int.TryParse((await File.ReadAllLinesAsync(file, cancel)).FirstOrDefault(), CultureInfo.InvariantCulture, out var pid))
        {
            return null;
        }

        switch (await CommandLine(pid, cancel))
        {
            case null:
                return null;
            case var command when command.Contains(Data, StringComparison.Ordinal):
                return pid;
            default:
                // The number is somebody else's after a restart of the machine, or a dead server's that nobody has reaped, as in a
                // container without an init. PostgreSQL would take it for its twin and refuse to start. We hold the folder's lock, so
                // none can be starting here, and against survivors of a dead one its shared memory still guards the data.
                File.Delete(file);
                File.Delete(Path.Combine(Socket, ".s.PGSQL.5432.lock"));
                return null;
        }
    }

    // Null where there is no such process, empty where it is dead and not yet reaped.
    private static async Task<string?> CommandLine(int pid, CancellationToken cancel)
    {
        if (!OperatingSystem.IsLinux())
        {
            var number = pid.ToString(CultureInfo.InvariantCulture);
            var (code, output) = await PostgresPrograms.Run("ps", ["-o", "args=", "-p", number], asServerUser: false, cancel);
            return code == 0 ? output : null;
        }

        try
        {
            return (await File.ReadAllTextAsync($"/proc/{pid}/cmdline", cancel)).Replace('\0', ' ');
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static async Task<bool> ServerUserReaches(string folder, CancellationToken cancel)
    {
        try
        {
            // "id" tells a missing user from a closed folder.
            if ((await PostgresPrograms.Run("id", [PostgresPrograms.ServerUser], asServerUser: false, cancel)).Code != 0)
            {
                throw new InvalidOperationException(
                    $"PostgreSQL does not run as root, and there is no user {PostgresPrograms.ServerUser} to run it as: "
                        + "start the queue as an ordinary user, or name a server with DATABASE_URL."
                );
            }

            return (await PostgresPrograms.Run("test", ["-x", folder], asServerUser: true, cancel)).Code == 0;
        }
        catch (Win32Exception problem)
        {
            throw new InvalidOperationException(
                "PostgreSQL does not run as root, and there is no runuser to start it as another user: "
                    + "start the queue as an ordinary user, or name a server with DATABASE_URL.",
                problem
            );
        }
    }

    // Taking the folder over would lock out the user who made it.
    private async Task RefuseForeignData(CancellationToken cancel)
    {
        if (Directory.Exists(Data) && (await PostgresPrograms.Run("test", ["-O", Data], PostgresPrograms.MustSwitchUser, cancel)).Code != 0)
        {
            throw new InvalidOperationException(
                $"The database in {Root} was made by another user: start the queue as that user, or name another folder with LLMQUEUE_DATA."
            );
        }
    }

    // Who can enter the folder can use the database: there is no password, and no port on the network.
    private static async Task Close(string folder, CancellationToken cancel)
    {
        Directory.CreateDirectory(folder);
        if (PostgresPrograms.MustSwitchUser)
        {
            await PostgresPrograms.Run("chown", [PostgresPrograms.ServerUser, folder], asServerUser: false, cancel);
        }

        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(folder, OwnerOnly);
        }
    }

    private static void LetPass(string folder)
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(folder, File.GetUnixFileMode(folder) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        }
    }

    private static bool Fits(string folder) => Encoding.UTF8.GetByteCount(Path.Combine(folder, ".s.PGSQL.5432.lock")) <= LongestSocketPath;

    private static string ShortName(string path) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(path)))[..12];
}
