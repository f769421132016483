namespace LlmQueue.Storage.Batches;

/// <summary>
/// A batch: many requests handed in as one file. Each line is an ordinary task in the ordinary wait queues; this row tells how far the
/// import has come and, once the last task has ended, the counts. While they run, the tasks in each state are counted from the tasks
/// themselves: no row is written by all of them.
/// </summary>
public sealed class BatchRow
{
    public Guid Id { get; set; }
    public string Tenant { get; set; } = "default";
    public string Status { get; set; } = BatchStatuses.Validating;
    /// <summary>What every line asks: <c>/v1/chat/completions</c>.</summary>
    public string Endpoint { get; set; } = "";
    public Guid InputFileId { get; set; }
    /// <summary>As it was asked for: <c>24h</c>, <c>30m</c>, <c>7d</c>.</summary>
    public string CompletionWindow { get; set; } = "";
    /// <summary>JSON, as it was handed in.</summary>
    public string? Metadata { get; set; }
    /// <summary>Who is told when it has ended.</summary>
    public string? WebhookUrl { get; set; }
    /// <summary>How long its output is kept, in seconds; null is the default.</summary>
    public long? OutputSeconds { get; set; }

    // How far its lines have been made tasks: written with them, so that a crash goes on where it was
    /// <summary>The byte at which the next line begins.</summary>
    public long Position { get; set; }
    /// <summary>Lines read, empty ones included: the number of the last one.</summary>
    public int Lines { get; set; }

    // What came of it; counted when it ends
    public int Total { get; set; }
    public int Completed { get; set; }
    public int Failed { get; set; }
    public long InputTokens { get; set; }
    public long OutputTokens { get; set; }
    /// <summary>JSON: what was wrong with the file, when that failed the batch.</summary>
    public string? Errors { get; set; }
    public Guid? OutputFileId { get; set; }
    public Guid? ErrorFileId { get; set; }

    public DateTime CreatedAt { get; set; }
    public DateTime ExpiresAt { get; set; }
    public DateTime? InProgressAt { get; set; }
    public DateTime? FinalizingAt { get; set; }
    public DateTime? CompletedAt { get; set; }
    public DateTime? FailedAt { get; set; }
    public DateTime? ExpiredAt { get; set; }
    public DateTime? CancellingAt { get; set; }
    public DateTime? CancelledAt { get; set; }
}

/// <summary>The states of a batch, in the words of its contract. The batch processor of a worker moves it through all of them.</summary>
public static class BatchStatuses
{
    /// <summary>Its lines are read and made tasks; none of them runs yet.</summary>
    public const string Validating = "validating";
    public const string InProgress = "in_progress";
    /// <summary>Every task has ended; the files are being written.</summary>
    public const string Finalizing = "finalizing";
    public const string Completed = "completed";
    /// <summary>The file could not be read as requests; nothing was run.</summary>
    public const string Failed = "failed";
    /// <summary>Its window ended before its tasks did; what they gave is in its files.</summary>
    public const string Expired = "expired";
    /// <summary>Its owner wants it no more; calls that are on their way are let finish.</summary>
    public const string Cancelling = "cancelling";
    public const string Cancelled = "cancelled";

    public static readonly IReadOnlyList<string> All =
        [Validating, InProgress, Finalizing, Completed, Failed, Expired, Cancelling, Cancelled];
    public static readonly IReadOnlyList<string> Open = [Validating, InProgress, Finalizing, Cancelling];
}
