using System.Globalization;

namespace LlmQueue.Embedded;

/// <summary>
/// A lock that lets one process at a time use a data folder. It is the operating system's on an open file, so it ends with its holder,
/// however that one dies. The process id for the next one's message lies beside it: .NET cannot read a locked file.
/// </summary>
internal sealed class DataFolderLock : IDisposable
{
    private readonly FileStream file;

    private DataFolderLock(FileStream file) => this.file = file;

    public static DataFolderLock Take(string dataFolder)
    {
        var path = Path.Combine(dataFolder, "lock");
        try
        {
            var opened = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            File.WriteAllText(HolderFile(dataFolder), Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
            return new DataFolderLock(opened);
        }
        catch (UnauthorizedAccessException problem)
        {
            throw new InvalidOperationException(
                $"The data folder {dataFolder} cannot be written to: make it writable, or name another one with LLMQUEUE_DATA.",
                problem
            );
        }
        catch (IOException problem) when (File.Exists(path))
        {
            throw new DataFolderInUseException(
                $"Another process uses the data folder {dataFolder} already: process {Holder(dataFolder)}. "
                    + "Use that one's API, or stop it, or name another folder with LLMQUEUE_DATA.",
                problem
            );
        }
    }

    private static string HolderFile(string dataFolder) => Path.Combine(dataFolder, "lock.holder");

    private static string Holder(string dataFolder)
    {
        try
        {
            return File.ReadAllText(HolderFile(dataFolder)) is { Length: > 0 } pid ? pid : "unknown";
        }
        catch (IOException)
        {
            return "unknown";
        }
    }

    public void Dispose() => file.Dispose();
}

/// <summary>The data folder is in use by another process, whose API may answer.</summary>
public sealed class DataFolderInUseException(string message, Exception cause) : InvalidOperationException(message, cause);
