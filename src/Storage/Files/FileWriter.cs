using Npgsql;

namespace LlmQueue.Storage.Files;

/// <summary>Writes a file. The file exists once it is completed; a writer that is disposed before leaves none.</summary>
public sealed class FileWriter(NpgsqlDataSource database, FileStore files, FileRow file) : IAsyncDisposable
{
    private readonly List<byte[]> _full = [];
    private byte[] _open = new byte[FileStore.ChunkBytes];
    private int _filled;
    private int _next;
    private bool _completed;

    /// <summary>Bytes written so far.</summary>
    public long Length { get; private set; }

    public Guid FileId => file.Id;

    public async ValueTask Write(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        Length += bytes.Length;
        while (bytes.Length > 0)
        {
            var part = bytes[..Math.Min(bytes.Length, _open.Length - _filled)];
            part.CopyTo(_open.AsMemory(_filled));
            _filled += part.Length;
            bytes = bytes[part.Length..];
            if (_filled < _open.Length)
                continue;
            _full.Add(_open);
            (_open, _filled) = (new byte[FileStore.ChunkBytes], 0);
            if (_full.Count == FileStore.Together)
                await Flush(cancellationToken);
        }
    }

    /// <summary>Makes the file visible, whole.</summary>
    public Task<FileRow> Complete(CancellationToken cancellationToken) => Finish(FileStatuses.Processed, cancellationToken);

    /// <summary>
    /// Writes what is left, and leaves it to a commit of the caller's to make the file visible; one that never comes leaves a file that is
    /// removed after a day.
    /// </summary>
    public Task<FileRow> Seal(CancellationToken cancellationToken) => Finish(FileStatuses.Uploading, cancellationToken);

    private async Task<FileRow> Finish(string status, CancellationToken cancellationToken)
    {
        if (_filled > 0)
            _full.Add(_open[.._filled]);
        await Flush(cancellationToken);
        (file.Bytes, file.Status) = (Length, status);
        await using var command = database.CreateCommand(
            "update files set bytes = $2, status = $3, filename = $4, purpose = $5, expires_at = $6 where id = $1");
        command.Parameters.AddWithValue(file.Id);
        command.Parameters.AddWithValue(file.Bytes);
        command.Parameters.AddWithValue(file.Status);
        command.Parameters.AddWithValue(file.Filename);
        command.Parameters.AddWithValue(file.Purpose);
        command.Parameters.Add(new NpgsqlParameter<DateTime?> { TypedValue = file.ExpiresAt });
        if (await command.ExecuteNonQueryAsync(cancellationToken) == 0)
            throw new InvalidOperationException($"File {file.Id} was removed while it was written.");
        _completed = true;
        return file;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_completed)
            await files.Remove(file.Id, CancellationToken.None);
    }

    private async Task Flush(CancellationToken cancellationToken)
    {
        if (_full.Count == 0)
            return;
        await using var command = database.CreateCommand("""
            insert into file_chunks (file_id, ordinal, content)
            select $1, $2 + c.place - 1, c.content from unnest($3::bytea[]) with ordinality as c(content, place)
            """);
        command.Parameters.AddWithValue(file.Id);
        command.Parameters.AddWithValue(_next);
        command.Parameters.AddWithValue(_full.ToArray());
        await command.ExecuteNonQueryAsync(cancellationToken);
        _next += _full.Count;
        _full.Clear();
    }
}
