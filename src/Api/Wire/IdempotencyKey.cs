using System.Security.Cryptography;
using System.Text;
using LlmQueue.Api.Access;
using LlmQueue.Storage.Intake;

namespace LlmQueue.Api.Wire;

/// <summary>
/// The header <c>Idempotency-Key</c>: work without an id gets one that follows from the tenant, the key and its place in the array, so that the same
/// request again finds what it made, or waits for it. The same key with another body is refused. Such ids carry no time: in lists they do not stand where their age would put them.
/// </summary>
public sealed class IdempotencyKey
{
    private const int Longest = 255;
    private readonly HttpContext context;
    private readonly string? key;

    private IdempotencyKey(HttpContext context, string? key) => (this.context, this.key) = (context, key);

    /// <summary>Whether ids follow from a key: then they may be known already.</summary>
    public bool IsGiven => key is not null;

    /// <summary>Quoted, as the header's draft has it, and bare, as most clients send it, are the same key.</summary>
    /// <exception cref="ProblemException">400: the key is empty or too long.</exception>
    public static IdempotencyKey Of(HttpContext context, string what)
    {
        if (!context.Request.Headers.TryGetValue("Idempotency-Key", out var values))
            return new IdempotencyKey(context, null);
        var text = values.ToString().Trim();
        if (text.Length > 2 && text[0] == '"' && text[^1] == '"')
            text = text[1..^1];
        if (text.Length is 0 or > Longest)
            throw new ProblemException(Problem.Refused($"The header Idempotency-Key has {text.Length} characters; expected 1 to {Longest}, for example a UUID."));
        return new IdempotencyKey(context, $"{what}\n{context.Caller().Tenant}\n{text}");
    }

    /// <summary>A UUID of version 8 from the key, or a new one of version 7.</summary>
    public Guid NewId(int index, TimeProvider clock) => key is null ? Guid.CreateVersion7(clock.GetUtcNow()) : IdOf($"{key}\n{index}");

    /// <summary>Keeps the key for this body, as it was read; called when nothing is wrong with it any more, so that a request that was refused can be mended under its key.</summary>
    /// <exception cref="ProblemException">422: another body stands behind the key.</exception>
    public Task Hold(RequestKeys keys, Patience patience, CancellationToken aborted) => Hold(context.Features.Get<BodyFingerprint>()?.Hash, keys, patience, aborted);

    public async Task Hold(byte[]? fingerprint, RequestKeys keys, Patience patience, CancellationToken aborted)
    {
        if (key is null || fingerprint is null || await patience.Read(ct => keys.Holds(IdOf($"{key}\nbody"), Convert.ToHexStringLower(fingerprint), ct), aborted))
            return;
        throw new ProblemException(new Problem(StatusCodes.Status422UnprocessableEntity, "key-reused", "The Idempotency-Key belongs to another request",
            "This Idempotency-Key came before with another body. Send the body that it came with, byte for byte, to find what that made; for other work choose another key.") { Param = "Idempotency-Key", Code = "idempotency_key_reused" });
    }

    private static Guid IdOf(string text)
    {
        var bytes = SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 16);
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x80);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }
}

/// <summary>The SHA-256 of a body that came with an Idempotency-Key.</summary>
public sealed record BodyFingerprint(byte[] Hash);
