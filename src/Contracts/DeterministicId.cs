using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace LlmQueue.Contracts;

/// <summary>
/// Ids that follow from what they stand for, so that the same request again finds what the first one made: UUIDs of version 8 (RFC
/// 9562, section 5.8). The tenant and the kind are always among the parts: no tenant's input leads to another tenant's id, and a task's
/// never to a summary's.
/// </summary>
public static class DeterministicId
{
    /// <summary>Another way of deriving ids takes another number here, and leads to none of the ids of this one.</summary>
    private const byte Derivation = 1;

    /// <summary>
    /// True for an id of the kind that is made here. Nobody may choose one: it would be the id of work that somebody else has not handed
    /// in yet.
    /// </summary>
    /// <param name="id">An id that a caller has chosen.</param>
    /// <returns>Whether it is a UUID of version 8.</returns>
    public static bool IsDerived(Guid id) => id.Version == 8;

    /// <param name="tenant">Whose it is.</param>
    /// <param name="kind">What it names: a task, a summary, a file.</param>
    /// <param name="parts">What it follows from. How they are divided counts: "ab", "c" and "a", "bc" lead to two ids.</param>
    public static Guid Of(string tenant, string kind, params IEnumerable<string> parts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData([Derivation]);
        Append(hash, tenant);
        Append(hash, kind);
        foreach (var part in parts)
            Append(hash, part);
        var bytes = hash.GetHashAndReset().AsSpan(0, 16);
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x80);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }

    /// <summary>The length stands before each part, so no part can pass for two, nor two for one.</summary>
    private static void Append(IncrementalHash hash, string part)
    {
        var bytes = Encoding.UTF8.GetBytes(part);
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        hash.AppendData(length);
        hash.AppendData(bytes);
    }
}
