using LlmQueue.OpenAi;
using LlmQueue.Storage.Files;

namespace LlmQueue.Api.Files;

/// <summary>The file object of OpenAI's API; <c>status</c> is deprecated there and required all the same.</summary>
public sealed record FileObject(
    string Id, string Object, long Bytes, long CreatedAt, long? ExpiresAt, string Filename, string Purpose, string Status)
{
    public static FileObject Of(FileRow row) =>
        new(OpenAiFormat.Id(OpenAiFormat.FilePrefix, row.Id), "file", row.Bytes, OpenAiFormat.Seconds(row.CreatedAt),
            OpenAiFormat.Seconds(row.ExpiresAt), row.Filename, row.Purpose, row.Status);
}

/// <summary>One page; its first and last id are null when it is empty.</summary>
public sealed record FileList(string Object, IReadOnlyList<FileObject> Data, string? FirstId, string? LastId, bool HasMore)
{
    public static FileList Of(IReadOnlyList<FileObject> files, bool hasMore) =>
        new("list", files, files.Count == 0 ? null : files[0].Id, files.Count == 0 ? null : files[^1].Id, hasMore);
}

/// <summary>The answer to the deletion of a file.</summary>
public sealed record FileDeleted(string Id, string Object, bool Deleted);
