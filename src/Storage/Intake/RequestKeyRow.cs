namespace LlmQueue.Storage.Intake;

/// <summary>The request behind an Idempotency-Key: the same key with another body is refused.</summary>
public sealed class RequestKeyRow
{
    /// <summary>Follows from tenant, kind of work and key.</summary>
    public Guid Id { get; set; }
    /// <summary>SHA-256 of the body, in hex.</summary>
    public string Fingerprint { get; set; } = "";
    public DateTime At { get; set; }
}
