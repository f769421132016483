using System.Buffers.Binary;
using LlmQueue.Contracts;

namespace LlmQueue.OpenAi;

/// <summary>The size of an image in pixels; null where only the provider will see it.</summary>
public readonly record struct ImageSize(int Width, int Height);

/// <summary>Checks images and reads their size. Pure; nothing is fetched.</summary>
public static class ImageRule
{
    /// <summary>The least that a provider takes in one call (Groq).</summary>
    public const int MostImages = 5;

    /// <summary>Characters of one data URL: 4 MB of base64, the least that a provider takes (Groq).</summary>
    public const int LongestDataUrl = 4 << 20;

    /// <summary>Of all data URLs of a task: what a broker's message holds with the rest.</summary>
    public const int LongestTogether = 12 << 20;

    private const int LongestAddress = 4000;
    private static readonly string[] Kinds = ["png", "jpeg", "webp", "gif"];

    /// <summary>Why the images of these messages cannot be taken, as a sentence; null when they can, or there are none.</summary>
    public static string? WhatIsWrong(IReadOnlyList<LlmMessage> messages)
    {
        var (count, together) = (0, 0L);
        for (var i = 0; i < messages.Count; i++)
        {
            foreach (var image in messages[i].Images ?? [])
            {
                if (messages[i].Role != "user")
                    return $"messages[{i}] has an image and the role '{messages[i].Role}'; "
                        + "images are taken from messages of role 'user' only.";
                if (WhatIsWrong(image) is { } wrong)
                    return $"An image of messages[{i}] {wrong}.";
                count++;
                together += image.Url.Length;
            }
        }

        return count > MostImages
            ? $"The task has {count} images; at most {MostImages} are taken in one. Hand the others in as tasks of their own."
            : together > LongestTogether
                ? $"The images have {together:N0} characters together; at most {LongestTogether:N0} are taken in one task. "
                    + "Make them smaller, or give https addresses."
            : null;
    }

    /// <summary>Read from the first bytes of a data URL; null for an address, and for a form that does not say.</summary>
    public static ImageSize? SizeOf(LlmImage image) =>
        image.Url.IndexOf(";base64,", StringComparison.Ordinal) is > 0 and var at && image.Url.StartsWith("data:", StringComparison.Ordinal)
            ? SizeOf(Bytes(image.Url.AsSpan(at + 8)))
            : null;

    private static string? WhatIsWrong(LlmImage image)
    {
        if (image.Detail is not (null or "low" or "high" or "auto"))
            return $"has the detail '{Short(image.Detail)}'; expected 'low', 'high' or 'auto'";
        if (!image.Url.StartsWith("data:", StringComparison.OrdinalIgnoreCase))
            return image.Url.Length <= LongestAddress
                && Uri.TryCreate(image.Url, UriKind.Absolute, out var address)
                && address.Scheme == "https"
                && address.UserInfo.Length == 0
                ? null
                : $"has the url '{Short(image.Url)}'; expected an https address, or data:image/png;base64,… (also jpeg, webp, gif)";
        if (!Kinds.Any(kind => image.Url.StartsWith($"data:image/{kind};base64,", StringComparison.Ordinal)))
            return $"begins with '{Short(image.Url)}'; expected data:image/png;base64,… (also jpeg, webp, gif)";
        if (image.Url.Length > LongestDataUrl)
            return $"has {image.Url.Length:N0} characters; a data URL may have at most {LongestDataUrl:N0}. "
                + "Make it smaller, or give an https address";
        var data = image.Url.AsSpan(image.Url.IndexOf(',') + 1);
        if (!System.Buffers.Text.Base64.IsValid(data))
            return "is not base64 after its comma";
        return SizeOf(Bytes(data)) is { Width: > 0, Height: > 0 }
            ? null
            : $"is no picture that can be read: its first bytes are not those of {image.Url[11..image.Url.IndexOf(';')]}";
    }

    // Every form says its size near the beginning; a JPEG may carry a preview picture before it.
    private static byte[] Bytes(ReadOnlySpan<char> base64)
    {
        const int Enough = 256 << 10;
        var buffer = new byte[Math.Min(base64.Length, Enough) * 3 / 4 + 3];
        return Convert.TryFromBase64Chars(base64[..(Math.Min(base64.Length, Enough) / 4 * 4)], buffer, out var written)
            ? buffer[..written]
            : [];
    }

    private static ImageSize? SizeOf(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length >= 24 && bytes[0] == 0x89 && bytes[1..4].SequenceEqual("PNG"u8))
            return new ImageSize(BinaryPrimitives.ReadInt32BigEndian(bytes[16..]), BinaryPrimitives.ReadInt32BigEndian(bytes[20..]));
        if (bytes.Length >= 10 && bytes.StartsWith("GIF8"u8))
            return new ImageSize(BinaryPrimitives.ReadUInt16LittleEndian(bytes[6..]), BinaryPrimitives.ReadUInt16LittleEndian(bytes[8..]));
        if (bytes.Length >= 30 && bytes.StartsWith("RIFF"u8) && bytes[8..12].SequenceEqual("WEBP"u8))
            return Webp(bytes);
        return bytes.Length >= 4 && bytes[0] == 0xFF && bytes[1] == 0xD8 ? Jpeg(bytes) : null;
    }

    private static ImageSize? Webp(ReadOnlySpan<byte> bytes) => bytes[15] switch
    {
        (byte)'X' => new ImageSize(1 + (bytes[24] | bytes[25] << 8 | bytes[26] << 16), 1 + (bytes[27] | bytes[28] << 8 | bytes[29] << 16)),
        (byte)'L' =>
            new ImageSize(1 + ((bytes[21] | bytes[22] << 8) & 0x3FFF), 1 + ((bytes[22] >> 6 | bytes[23] << 2 | bytes[24] << 10) & 0x3FFF)),
        _ => new ImageSize(BinaryPrimitives.ReadUInt16LittleEndian(bytes[26..]) & 0x3FFF,
            BinaryPrimitives.ReadUInt16LittleEndian(bytes[28..]) & 0x3FFF),
    };

    /// <summary>From segment to segment until the one that begins a frame.</summary>
    private static ImageSize? Jpeg(ReadOnlySpan<byte> bytes)
    {
        for (var at = 2; at + 9 < bytes.Length && bytes[at] == 0xFF;)
        {
            var marker = bytes[at + 1];
            if (marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC))
                return new ImageSize(BinaryPrimitives.ReadUInt16BigEndian(bytes[(at + 7)..]),
                    BinaryPrimitives.ReadUInt16BigEndian(bytes[(at + 5)..]));
            at += marker == 0xFF ? 1 : 2 + BinaryPrimitives.ReadUInt16BigEndian(bytes[(at + 2)..]);
        }

        return null;
    }

    private static string Short(string text) => text.Length <= 60 ? text : text[..60] + "…";
}
