using LlmQueue.Embedded;

namespace LlmQueue.Tests.Harness;

/// <summary>
/// A temporary folder for one server, and the user that this server runs as: PostgreSQL refuses root, and the others need not be it.
/// </summary>
internal sealed class ServerFolder : IDisposable
{
    private readonly string user;

    private ServerFolder(string path, string user) => (Path, this.user) = (path, user);

    public string Path { get; }

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public static async Task<ServerFolder> Create(string server, string user)
    {
        var folder = new ServerFolder(Directory.CreateTempSubdirectory($"llmqueue-{server}-").FullName, user);
        await folder.HandOver();
        return folder;
    }

    /// <summary>What we have written into the folder belongs to the server's user from here on.</summary>
    public async Task HandOver()
    {
        if (Environment.IsPrivilegedProcess)
        {
            await PostgresPrograms.Run("chown", ["-R", user, Path], asServerUser: false, CancellationToken.None);
        }
    }

    /// <summary>setpriv becomes the program where runuser would stay its parent and catch the signals that are meant for it.</summary>
    public string[] AsUser(params string[] command) =>
        Environment.IsPrivilegedProcess ? ["setpriv", $"--reuid={user}", $"--regid={user}", "--init-groups", .. command] : command;

    public void Dispose()
    {
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // Somebody has tidied up before us.
        }
    }
}
