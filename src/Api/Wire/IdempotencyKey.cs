using System.Globalization;
using LlmQueue.Contracts;
using LlmQueue.Storage.Intake;

namespace LlmQueue.Api.Wire;

/// <summary>
/// The header <c>Idempotency-Key</c>: work without an id gets one that follows from the tenant, the key and its place in the array, so that
/// the same request again finds what it made, or waits for it. The same key with another body is refused. Such ids carry no time: in lists
/// they do not stand where their age would put them.
/// </summary>
public sealed class IdempotencyKey
{
    private const int Longest = 255;
    private readonly HttpContext _context;
    private readonly string _kind;
    private readonly string _tenant;
    private readonly string? _key;

    private IdempotencyKey(HttpContext context, string kind, string tenant, string? key) =>
        (_context, _kind, _tenant, _key) = (context, kind, tenant, key);

    /// <summary>Whether ids follow from a key: then they may be known already.</summary>
    public bool IsGiven => _key is not null;

    /// <summary>Quoted, as the header's draft has it, and bare, as most clients send it, are the same key.</summary>
    /// <exception cref="ProblemException">400: the key is empty or too long.</exception>
    public static IdempotencyKey Of(HttpContext context, string kind, string tenant)
    {
        if (!context.Request.Headers.TryGetValue("Idempotency-Key", out var values))
            return new IdempotencyKey(context, kind, tenant, null);
        var text = values.ToString().Trim();
        if (text.Length > 2 && text[0] == '"' && text[^1] == '"')
            text = text[1..^1];
        if (text.Length is 0 or > Longest)
            throw new ProblemException(
                Problem.Refused($"The header Idempotency-Key has {text.Length} characters; expected 1 to {Longest}, for example a UUID."));
        return new IdempotencyKey(context, kind, tenant, text);
    }

    /// <summary>A UUID of version 8 from the key, or a new one of version 7.</summary>
    /// <param name="index">Its place among those that the request makes.</param>
    /// <param name="clock">Dates a new one.</param>
    /// <param name="kind">What it names, where that is not what the request is for.</param>
    public Guid NewId(int index, TimeProvider clock, string? kind = null) => _key is null
        ? Guid.CreateVersion7(clock.GetUtcNow())
        : DeterministicId.Of(_tenant, kind ?? _kind, $"idempotency-key/{_kind}", _key, index.ToString(CultureInfo.InvariantCulture));

    /// <summary>
    /// Keeps the key for this body, as it was read; called when nothing is wrong with it any more, so that a request that was refused can
    /// be mended under its key.
    /// </summary>
    /// <exception cref="ProblemException">422: another body stands behind the key.</exception>
    public Task Hold(RequestKeys keys, DatabaseRetry database, CancellationToken cancellationToken) =>
        Hold(_context.Features.Get<BodyFingerprint>()?.Hash, keys, database, cancellationToken);

    public async Task Hold(byte[]? fingerprint, RequestKeys keys, DatabaseRetry database, CancellationToken cancellationToken)
    {
        if (_key is null || fingerprint is null)
            return;
        var id = DeterministicId.Of(_tenant, "request-key", _kind, _key);
        if (await database.Read(ct => keys.Holds(id, Convert.ToHexStringLower(fingerprint), ct), cancellationToken))
            return;
        throw new ProblemException(
            new Problem(StatusCodes.Status422UnprocessableEntity, "key-reused", "The Idempotency-Key belongs to another request",
            "This Idempotency-Key came before with another body. Send the body that it came with, byte for byte, to find what that made; "
                + "for other work choose another key.") { Param = "Idempotency-Key", Code = "idempotency_key_reused" });
    }
}

/// <summary>The SHA-256 of a body that came with an Idempotency-Key.</summary>
public sealed record BodyFingerprint(byte[] Hash);
