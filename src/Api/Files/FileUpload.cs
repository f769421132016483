using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using LlmQueue.Api.Wire;
using LlmQueue.Storage.Files;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace LlmQueue.Api.Files;

/// <summary>
/// Reads a multipart form with a file, part by part as it comes: only what is on its way into the database is held in memory.
/// </summary>
public sealed class FileUpload(FileStore files, TimeProvider clock)
{
    /// <summary>In bytes: what OpenAI takes for a batch.</summary>
    public const long LargestFile = 200L << 20;

    private const int LongestField = 1 << 10;
    private const int LongestName = 255;
    private static readonly TimeSpan Kept = TimeSpan.FromDays(30);

    /// <summary>Stores the file; <paramref name="agree"/> is asked, with what the form says, before it is shown to anybody.</summary>
    /// <exception cref="ProblemException">400 or 413: the form does not fit; nothing is kept of it.</exception>
    public async Task<FileRow> Take(
        HttpContext context, Guid id, string tenant, Func<byte[], Task> agree, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var file = new FileRow { Id = id, Tenant = tenant, CreatedAt = now, ExpiresAt = now + Kept };
        FileWriter? writer = null;
        try
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            await Form(context, file, hash, async () => writer = await files.Write(file, cancellationToken), cancellationToken);
            await agree(hash.GetHashAndReset());
            return await writer!.Complete(cancellationToken);
        }
        finally
        {
            if (writer is not null)
                await writer.DisposeAsync();
        }
    }

    /// <summary>What a form says, without keeping any of it: for a key whose file is there already.</summary>
    public async Task<byte[]> Fingerprint(HttpContext context, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await Form(context, new FileRow { CreatedAt = clock.GetUtcNow().UtcDateTime }, hash, () => Task.FromResult<FileWriter?>(null),
            cancellationToken);
        return hash.GetHashAndReset();
    }

    /// <summary>
    /// Reads all parts into the row, the hash and, where there is one, the writer. The boundary is another at every try, so it is the
    /// parts that are hashed.
    /// </summary>
    private static async Task Form(
        HttpContext context, FileRow file, IncrementalHash hash, Func<Task<FileWriter?>> begin, CancellationToken cancellationToken)
    {
        var (reader, purpose, isThere) = (Parts(context.Request), (string?)null, false);
        try
        {
            while (await Next(reader, cancellationToken) is { } part)
            {
                var name = part.Name;
                if (name == "file" && !isThere)
                {
                    (file.Filename, isThere) = (FileName(part.Disposition), true);
                    await Stream(part.Section.Body, await begin(), hash, cancellationToken);
                }
                else if (name == "purpose")
                    purpose = await Field(part.Section, cancellationToken);
                else if (name == "expires_after[seconds]")
                    file.ExpiresAt = file.CreatedAt + Seconds(await Field(part.Section, cancellationToken));
                else if (name is "expires_after[anchor]" && await Field(part.Section, cancellationToken) is not "created_at" and var anchor)
                    throw Refused($"expires_after[anchor] is '{anchor}'; expected 'created_at'.", "expires_after");
            }
        }
        catch (Exception broken) when (broken is InvalidDataException or IOException && !cancellationToken.IsCancellationRequested)
        {
            throw Refused($"The form cannot be read: {broken.Message}", null);
        }

        file.Purpose = Purpose(purpose);
        if (!isThere)
            throw Refused("The form has no part 'file'; expected the file's bytes.", "file");
        if (!file.Filename.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase))
            throw Refused($"Invalid file format for Batch API. Must be .jsonl; found '{file.Filename}'.", "file");
        hash.AppendData(Encoding.UTF8.GetBytes($"\n{file.Purpose}\n{file.Filename}"));
    }

    private static MultipartReader Parts(HttpRequest request)
    {
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
            || !type.MediaType.Equals("multipart/form-data", StringComparison.OrdinalIgnoreCase))
            throw Refused(
                $"The content type is '{request.ContentType}'; expected multipart/form-data with the parts 'purpose' and 'file'.", null);
        if (HeaderUtilities.RemoveQuotes(type.Boundary).Value is not { Length: > 0 and <= 200 } boundary)
            throw Refused("The content type names no boundary of at most 200 characters; expected multipart/form-data; boundary=….", null);
        // The form is a little larger than its file, and is counted as it comes.
        if (request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = null;
        return new MultipartReader(boundary, request.Body) { HeadersCountLimit = 16, HeadersLengthLimit = 8 << 10 };
    }

    private static async Task<(string Name, MultipartSection Section, ContentDispositionHeaderValue Disposition)?> Next(
        MultipartReader reader, CancellationToken cancellationToken)
    {
        if (await reader.ReadNextSectionAsync(cancellationToken) is not { } section)
            return null;
        if (!ContentDispositionHeaderValue.TryParse(section.ContentDisposition, out var disposition)
            || HeaderUtilities.RemoveQuotes(disposition.Name).Value is not { } name)
            throw Refused("A part of the form has no name; expected Content-Disposition: form-data; name=\"…\".", null);
        return (name, section, disposition);
    }

    private static async Task Stream(Stream body, FileWriter? writer, IncrementalHash hash, CancellationToken cancellationToken)
    {
        var (buffer, length) = (ArrayPool<byte>.Shared.Rent(64 << 10), 0L);
        try
        {
            while (await body.ReadAsync(buffer, cancellationToken) is var count and > 0)
            {
                if ((length += count) > LargestFile)
                    throw new ProblemException(
                        Problem.TooLarge($"The file is larger than {LargestFile >> 20} MB; split it and create a batch of each part.") with
                        {
                            Param = "file",
                        });
                hash.AppendData(buffer.AsSpan(0, count));
                if (writer is not null)
                    await writer.Write(buffer.AsMemory(0, count), cancellationToken);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task<string> Field(MultipartSection section, CancellationToken cancellationToken)
    {
        var text = new byte[LongestField];
        var length = await section.Body.ReadAtLeastAsync(text, text.Length, throwOnEndOfStream: false, cancellationToken);
        return length < text.Length
            ? Encoding.UTF8.GetString(text, 0, length).Trim()
            : throw Refused($"A field of the form is longer than {LongestField} bytes.", null);
    }

    private static string FileName(ContentDispositionHeaderValue disposition)
    {
        var name = (
            HeaderUtilities.RemoveQuotes(disposition.FileNameStar).Value ?? HeaderUtilities.RemoveQuotes(disposition.FileName).Value ?? "")
            .Replace("\0", "", StringComparison.Ordinal);
        // Some clients send a whole path.
        name = name[(name.LastIndexOfAny(['/', '\\']) + 1)..];
        return name.Length <= LongestName ? name : name[^LongestName..];
    }

    private static string Purpose(string? purpose) => purpose switch
    {
        "batch" => purpose,
        null or "" => throw Refused("The form has no part 'purpose'; expected 'batch'.", "purpose"),
        _ => throw Refused($"The purpose is '{purpose}'; expected 'batch': the queue keeps files for batches only.", "purpose"),
    };

    private static TimeSpan Seconds(string text) =>
        int.TryParse(text, out var seconds) && seconds is >= 3600 and <= 2_592_000 ? TimeSpan.FromSeconds(seconds)
            : throw Refused($"expires_after[seconds] is '{text}'; expected 3600 to 2592000.", "expires_after");

    private static ProblemException Refused(string detail, string? param) => new(Problem.Refused(detail) with { Param = param });
}
