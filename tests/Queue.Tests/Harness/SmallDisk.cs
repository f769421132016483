using LlmQueue.Limits;
using LlmQueue.Tests.Api;

namespace LlmQueue.Tests.Harness;

/// <summary>
/// A disk of a few hundred megabytes, seen only by those who are led into it: a file system in memory, mounted in a mount namespace of its
/// own that ends with its holder. Needs root.
/// </summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    private readonly ProcessUnderTest holder;
    private readonly DirectoryInfo folder;

    private SmallDisk(ProcessUnderTest holder, DirectoryInfo folder) => (this.holder, this.folder) = (holder, folder);

    /// <summary>For a server whose data is to lie on it.</summary>
    public ServerPlace Place => new(folder.FullName, command => ["nsenter", $"--mount=/proc/{holder.Id}/ns/mnt", .. command]);

    private string Ballast => $"/proc/{holder.Id}/root{folder.FullName}/ballast";

    public static async Task<SmallDisk> Mount(int megabytes)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess,
            "A small disk is mounted, which takes Linux and root.");
        var on = Directory.CreateTempSubdirectory("llmqueue-disk-");
        var script = $"mount -t tmpfs -o size={megabytes}m,mode=0777 llmqueue '{on.FullName}' && echo mounted && exec sleep infinity";
        var mounted = ProcessUnderTest.Start("unshare", ["--mount", "sh", "-c", script], doomed: on.FullName);
        try
        {
            await mounted.WaitForLine("mounted", TimeSpan.FromSeconds(10));
            return new SmallDisk(mounted, on);
        }
        catch (InvalidOperationException refused)
        {
            Assert.Skip($"A small disk cannot be mounted here: {refused.Message}");
            throw;
        }
    }

    /// <summary>Writes until nothing more fits.</summary>
    public async Task Fill()
    {
        await using var file = File.Create(Ballast);
        foreach (var size in new[] { 1 << 20, 1 << 12 })
        {
            var block = new byte[size];
            try
            {
                while (true)
                {
                    await file.WriteAsync(block);
                    await file.FlushAsync();
                }
            }
            catch (IOException)
            {
                // Full, as wanted.
            }
        }
    }

    public void Free() => File.Delete(Ballast);

    public async ValueTask DisposeAsync()
    {
        await holder.DisposeAsync();
        folder.Delete(recursive: true);
    }
}
