namespace LlmQueue.Storage.Files;

/// <summary>A file of a tenant: an input, or the output of a batch. Its bytes are chunks in rows of their own, see FileStore.</summary>
public sealed class FileRow
{
    public Guid Id { get; set; }
    public string Tenant { get; set; } = "default";
    public string Filename { get; set; } = "";
    /// <summary><c>batch</c> for what was handed in, <c>batch_output</c> for what a batch gave.</summary>
    public string Purpose { get; set; } = "";
    public long Bytes { get; set; }
    public string Status { get; set; } = FileStatuses.Uploading;
    public DateTime CreatedAt { get; set; }
    /// <summary>When it is removed; null is never.</summary>
    public DateTime? ExpiresAt { get; set; }
}

/// <summary>The states of a file: being uploaded or complete.</summary>
public static class FileStatuses
{
    /// <summary>Its bytes are still coming, or whoever sent them has gone: it is shown to nobody, and removed after a day.</summary>
    public const string Uploading = "uploading";
    public const string Processed = "processed";
}
