using System.Security.Cryptography;
using System.Text;

namespace LlmQueue.Worker.Outcomes;

/// <summary>How prompts and answers are named in the record without being repeated there.</summary>
public static class ContentHash
{
    /// <summary>The first 16 hex digits of the SHA-256 of the text's UTF-8.</summary>
    public static string Of(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)), 0, 8);
}
