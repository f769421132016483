using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace ProviderSimulator.Wire;

internal enum AnswerFormat
{
    Text,
    JsonObject,
    JsonSchema,
}

internal readonly record struct ChatMessage(string Role, string Text, int Images);

/// <summary>A chat completion as it was asked for, with what the simulator needs to know of it already counted.</summary>
internal sealed record ChatRequest
{
    public required string Model { get; init; }
    public required IReadOnlyList<ChatMessage> Messages { get; init; }
    public required string UserText { get; init; }
    public required PromptHash Hash { get; init; }
    public required int PromptTokens { get; init; }

    /// <summary>Null: the caller named no limit, so output is charged when it is known.</summary>
    public int? MaxTokens { get; init; }

    public bool Stream { get; init; }
    public bool IncludeUsage { get; init; }
    public AnswerFormat Format { get; init; }
    public JsonElement Schema { get; init; }

    public bool Mentions(string text)
    {
        foreach (var message in Messages)
        {
            if (message.Text.Contains(text, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>
/// The first 48 bits of a text's SHA-256, written as 12 hex digits: short enough to log, long enough to tell a million prompts apart.
/// </summary>
internal readonly record struct PromptHash(long Value)
{
    public static PromptHash Of(string text)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(text.Length));
        var length = Encoding.UTF8.GetBytes(text, buffer);
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(buffer.AsSpan(0, length), digest);
        ArrayPool<byte>.Shared.Return(buffer);

        long value = 0;
        foreach (var part in digest[..6])
        {
            value = (value << 8) | part;
        }

        return new PromptHash(value);
    }

    /// <summary>What every answer begins with, so that an answer handed to the wrong asker is seen.</summary>
    public string Marker => $"[answer to #{this}]";

    public override string ToString() => Value.ToString("x12", CultureInfo.InvariantCulture);
}
