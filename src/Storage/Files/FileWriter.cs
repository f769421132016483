using Npgsql;

namespace LlmQueue.Storage.Files;

/// <summary>A file that is being written. It is there once it is completed; disposed before, it never was.</summary>
public sealed class FileWriter(NpgsqlDataSource database, FileStore files, FileRow file) : IAsyncDisposable
{
    private readonly List<byte[]> full = [];
    private byte[] open = new byte[FileStore.ChunkBytes];
    private int filled;
    private int next;
    private bool completed;

    /// <summary>Bytes written so far.</summary>
    public long Length { get; private set; }

    public Guid FileId => file.Id;

    public async ValueTask Write(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        Length += bytes.Length;
        while (bytes.Length > 0)
        {
            var part = bytes[..Math.Min(bytes.Length, open.Length - filled)];
            part.CopyTo(open.AsMemory(filled));
            filled += part.Length;
            bytes = bytes[part.Length..];
            if (filled < open.Length)
                continue;
            full.Add(open);
            (open, filled) = (new byte[FileStore.ChunkBytes], 0);
            if (full.Count == FileStore.Together)
                await Flush(cancellationToken);
        }
    }

    /// <summary>Makes the file visible, whole.</summary>
    public Task<FileRow> Complete(CancellationToken cancellationToken) => Finish(FileStatuses.Processed, cancellationToken);

    /// <summary>Writes what is left, and leaves it to a commit of the caller's to make the file visible; one that never comes leaves a file that is removed after a day.</summary>
    public Task<FileRow> Seal(CancellationToken cancellationToken) => Finish(FileStatuses.Uploading, cancellationToken);

    private async Task<FileRow> Finish(string status, CancellationToken cancellationToken)
    {
        if (filled > 0)
            full.Add(open[..filled]);
        await Flush(cancellationToken);
        (file.Bytes, file.Status) = (Length, status);
        await using var command = database.CreateCommand("update files set bytes = $2, status = $3, filename = $4, purpose = $5, expires_at = $6 where id = $1");
        command.Parameters.AddWithValue(file.Id);
        command.Parameters.AddWithValue(file.Bytes);
        command.Parameters.AddWithValue(file.Status);
        command.Parameters.AddWithValue(file.Filename);
        command.Parameters.AddWithValue(file.Purpose);
        command.Parameters.Add(new NpgsqlParameter<DateTime?> { TypedValue = file.ExpiresAt });
        if (await command.ExecuteNonQueryAsync(cancellationToken) == 0)
            throw new InvalidOperationException($"File {file.Id} was removed while it was written.");
        completed = true;
        return file;
    }

    public async ValueTask DisposeAsync()
    {
        if (!completed)
            await files.Remove(file.Id, CancellationToken.None);
    }

    private async Task Flush(CancellationToken cancellationToken)
    {
        if (full.Count == 0)
            return;
        await using var command = database.CreateCommand("""
            insert into file_chunks (file_id, ordinal, content)
            select $1, $2 + c.place - 1, c.content from unnest($3::bytea[]) with ordinality as c(content, place)
            """);
        command.Parameters.AddWithValue(file.Id);
        command.Parameters.AddWithValue(next);
        command.Parameters.AddWithValue(full.ToArray());
        await command.ExecuteNonQueryAsync(cancellationToken);
        next += full.Count;
        full.Clear();
    }
}
