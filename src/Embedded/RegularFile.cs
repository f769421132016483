using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace LlmQueue.Embedded;

/// <summary>The path is no regular file: a pipe or a device, without beginning or end.</summary>
internal sealed class NotAFileException() : IOException($"It is {What}.")
{
    public const string What = "a pipe, a socket or a device; expected a file";
}

/// <summary>Reads regular files only: a pipe without a writer is not waited for, and a device without an end is not read.</summary>
internal static class RegularFile
{
    private const int ReadOnly = 0;

    /// <exception cref="NotAFileException">It is something else.</exception>
    /// <exception cref="IOException">It cannot be read, or is larger than <paramref name="most"/> bytes.</exception>
    public static byte[] Read(string path, int most)
    {
        using var file = Open(path);
        if (!file.CanSeek)
            throw new NotAFileException();
        if (file.Length > most)
            throw new IOException($"It has {file.Length / 1_000_000.0:N0} MB; at most {most / 1_000_000} MB are taken.");
        var bytes = new byte[file.Length];
        var length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        // A file says how much is in it; a device says nothing is, and has more.
        if (bytes.Length == 0 && file.ReadByte() >= 0)
            throw new NotAFileException();
        return length == bytes.Length ? bytes : bytes[..length];
    }

    // .NET opens without O_NONBLOCK, and so waits for ever at a pipe that nobody writes into (open(2)).
    private static FileStream Open(string path)
    {
        if (OperatingSystem.IsWindows())
            return File.OpenRead(path);
        var (nonBlocking, closeOnExec) = OperatingSystem.IsLinux() ? (0x800, 0x80000) : (0x4, 0x1000000);
        var descriptor = open(Encoding.UTF8.GetBytes(path + '\0'), ReadOnly | nonBlocking | closeOnExec);
        if (descriptor < 0)
            throw new IOException($"{Marshal.GetLastPInvokeErrorMessage()}.");
        var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        try
        {
            return new FileStream(handle, FileAccess.Read, bufferSize: 0);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    [DllImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int open(byte[] path, int flags);
}
