using System.Security.Cryptography;
using System.Text;

namespace LlmQueue.Embedded.Summarizing;

/// <summary>
/// A summary's id follows from what is summarised, so that the same command finds what it began before it was killed. Each time it is done
/// anew it is another run: the newest one that is known is the one that counts.
/// </summary>
internal static class SummaryIdentity
{
    /// <summary>How many runs of the same pages are told apart.</summary>
    public const int MostRuns = 200;

    /// <param name="pages">The pages that can be read.</param>
    /// <param name="question">The question, if any.</param>
    /// <param name="model">The caller's model, if any.</param>
    /// <param name="simulated">Made-up answers must not pass for real ones once a key is set.</param>
    public static IReadOnlyList<Guid> Runs(IReadOnlyList<PageFile> pages, string? question, string? model, bool simulated)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Add(hash, simulated ? "simulated" : "real");
        Add(hash, question ?? "");
        Add(hash, model ?? "");
        foreach (var page in pages)
        {
            Add(hash, page.Title);
            Add(hash, page.Content?.Text ?? "");
            Add(hash, page.Content?.Html ?? "");
        }

        var content = hash.GetHashAndReset();
        return [.. Enumerable.Range(0, MostRuns).Select(run => Id(content, run))];
    }

    private static Guid Id(byte[] content, int run)
    {
        var bytes = SHA256.HashData([.. content, .. BitConverter.GetBytes(run)]).AsSpan(0, 16);
        // A UUID of version 8: derived, not drawn.
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x80);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }

    // The length before each text: "ab", "c" and "a", "bc" are not the same pages.
    private static void Add(IncrementalHash hash, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        hash.AppendData(BitConverter.GetBytes(bytes.Length));
        hash.AppendData(bytes);
    }
}
