namespace LlmQueue.Storage.Intake;

/// <summary>What a request under an Idempotency-Key was: the same key with another body is a mistake, and told.</summary>
public sealed class RequestKeyRow
{
    /// <summary>Follows from tenant, kind of work and key.</summary>
    public Guid Id { get; set; }
    /// <summary>SHA-256 of the body, in hex.</summary>
    public string Fingerprint { get; set; } = "";
    public DateTime At { get; set; }
}
