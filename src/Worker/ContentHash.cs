using System.Security.Cryptography;
using System.Text;

namespace LlmQueue.Worker;

/// <summary>The hash by which attempts identify prompts and answers without repeating them.</summary>
public static class ContentHash
{
    /// <summary>The first 16 hex digits of the SHA-256 of the text's UTF-8.</summary>
    public static string Of(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)), 0, 8);
}
