using System.Runtime.CompilerServices;

namespace LlmQueue.Storage.Files;

/// <summary>A line of a file.</summary>
/// <param name="Number">Its place, from 1; empty lines count.</param>
/// <param name="End">The byte at which the next line begins.</param>
/// <param name="Bytes">Without its line break; good until the next line is asked for. Null when it is longer than any line may be.</param>
public sealed record FileLine(int Number, long End, ReadOnlyMemory<byte>? Bytes);

/// <summary>Cuts a file's chunks into lines, holding one chunk and one line at a time.</summary>
public static class FileLines
{
    /// <summary>In bytes: a prompt of the largest context there is, escaped.</summary>
    public const int LongestLine = 32 << 20;

    /// <param name="files">Where the bytes are.</param>
    /// <param name="file">The file.</param>
    /// <param name="position">The byte at which the first line wanted begins.</param>
    /// <param name="before">Lines before that byte.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    public static async IAsyncEnumerable<FileLine> Read(
        FileStore files, Guid file, long position, int before, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (number, line, tooLong) = (before, new MemoryStream(), false);
        var skip = (int)(position % FileStore.ChunkBytes);
        var at = position;
        await foreach (var chunk in files.Read(file, (int)(position / FileStore.ChunkBytes), cancellationToken))
        {
            var rest = chunk.AsMemory(skip);
            skip = 0;
            while (rest.Span.IndexOf((byte)'\n') is var end and >= 0)
            {
                at += end + 1;
                // Most lines lie within one chunk and are not copied.
                ReadOnlyMemory<byte> whole = rest[..end];
                if (line.Length > 0)
                    whole = Joined(line, whole, ref tooLong);
                yield return new FileLine(++number, at, tooLong ? null : Trimmed(whole));
                line.SetLength(0);
                tooLong = false;
                rest = rest[(end + 1)..];
            }

            at += rest.Length;
            _ = Joined(line, rest, ref tooLong);
        }

        if (line.Length > 0)
            yield return new FileLine(++number, at, tooLong ? null : Trimmed(line.GetBuffer().AsMemory(0, (int)line.Length)));
    }

    private static ReadOnlyMemory<byte> Joined(MemoryStream line, ReadOnlyMemory<byte> more, ref bool tooLong)
    {
        tooLong |= line.Length + more.Length > LongestLine;
        if (!tooLong)
            line.Write(more.Span);
        return line.GetBuffer().AsMemory(0, (int)line.Length);
    }

    private static ReadOnlyMemory<byte> Trimmed(ReadOnlyMemory<byte> line) => line.Trim(" \t\r"u8);
}
