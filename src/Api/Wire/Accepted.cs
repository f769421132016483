using System.Security.Cryptography;
using System.Text;
using LlmQueue.Api.Access;

namespace LlmQueue.Api.Wire;

/// <summary>The answer to work that was handed in, or is to be canceled.</summary>
public sealed record Accepted(Guid Id, string State, AcceptedLinks Links)
{
    public static Accepted Task(Guid id, string state) => new(id, state, new AcceptedLinks($"/v1/tasks/{id}"));

    public static Accepted Summary(Guid id, string state) => new(id, state, new AcceptedLinks($"/v1/summaries/{id}"));
}

/// <param name="Self">Where it can be looked at.</param>
public sealed record AcceptedLinks(string Self);

/// <summary>
/// The header <c>Idempotency-Key</c>: work without an id gets one that follows from the tenant, the key and its place in the array, so that the same
/// request again finds what it made. Such ids carry no time: in lists they do not stand where their age would put them.
/// </summary>
public sealed class IdempotencyKey
{
    private const int Longest = 255;
    private readonly string? key;

    private IdempotencyKey(string? key) => this.key = key;

    /// <summary>Whether ids follow from a key: then they may be known already.</summary>
    public bool IsGiven => key is not null;

    /// <exception cref="ProblemException">400: the key is empty or too long.</exception>
    public static IdempotencyKey Of(HttpContext context, string what)
    {
        if (!context.Request.Headers.TryGetValue("Idempotency-Key", out var values))
            return new IdempotencyKey(null);
        var text = values.ToString().Trim();
        if (text.Length is 0 or > Longest)
            throw new ProblemException(Problem.Refused($"The header Idempotency-Key has {text.Length} characters; expected 1 to {Longest}, for example a UUID."));
        return new IdempotencyKey($"{what}\n{context.Caller().Tenant}\n{text}");
    }

    /// <summary>A UUID of version 8 from the key, or a new one of version 7.</summary>
    public Guid NewId(int index, TimeProvider clock)
    {
        if (key is null)
            return Guid.CreateVersion7(clock.GetUtcNow());
        var bytes = SHA256.HashData(Encoding.UTF8.GetBytes($"{key}\n{index}")).AsSpan(0, 16);
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x80);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }
}
