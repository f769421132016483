using LlmQueue.Contracts;
using LlmQueue.OpenAi;

namespace LlmQueue.Worker.Estimation;

/// <summary>
/// Tokens of an image before anything is known of the model's own counting, as each provider documents it; an image behind an address is taken for the largest that its
/// provider does not shrink. Pure.
/// </summary>
/// <remarks>
/// OpenAI: 85 for detail low; else scaled into 2048 × 2048, its shorter side to 768, 85 and 170 for each tile of 512 (platform.openai.com/docs/guides/images-vision).
/// Gemini: 258 where both sides are at most 384, else 258 for each tile of 768 (ai.google.dev/gemini-api/docs/tokens). Anthropic: pixels over 750, the longer side at most
/// 1568 (docs.anthropic.com/en/docs/build-with-claude/vision). Mistral: patches of 16, the longer side at most 1024, and one token a row. All others: patches of 28 as Qwen
/// reads them, at most 2048 × 2048, the most of any of these.
/// </remarks>
public static class ImageTokenRule
{
    private static readonly ImageSize Unknown = new(2048, 2048);

    /// <summary>Tokens of all images of these messages at a provider, by its lower-case name.</summary>
    public static int Of(IReadOnlyList<LlmMessage> messages, string provider) =>
        messages.Sum(m => m.Images?.Sum(image => Of(ImageRule.SizeOf(image) ?? Unknown, image.Detail, provider)) ?? 0);

    public static int Of(ImageSize size, string? detail, string provider) => provider switch
    {
        "openai" when detail == "low" => 85,
        "openai" => 85 + (170 * Tiles(Within(Within(size, 2048), shorter: 768), 512)),
        "gemini" => 258 * (size is { Width: <= 384, Height: <= 384 } ? 1 : Tiles(Within(size, 3072), 768)),
        "anthropic" => Pixels(Within(size, 1568)) / 750 + 1,
        "mistral" => Tiles(Within(size, 1024), 16) + Across(Within(size, 1024).Height, 16),
        _ => Tiles(Within(size, 2048), 28) + 2,
    };

    private static int Pixels(ImageSize size) => (int)Math.Min(int.MaxValue, (long)size.Width * size.Height);

    private static int Tiles(ImageSize size, int side) => Across(size.Width, side) * Across(size.Height, side);

    private static int Across(int length, int side) => (length + side - 1) / side;

    /// <summary>Shrunk until neither the longer side is above the one nor the shorter above the other; never made larger.</summary>
    private static ImageSize Within(ImageSize size, int longer = int.MaxValue, int shorter = int.MaxValue)
    {
        var factor = Math.Min(1, Math.Min((double)longer / Math.Max(size.Width, size.Height), (double)shorter / Math.Min(size.Width, size.Height)));
        return new ImageSize(Math.Max(1, (int)Math.Ceiling(size.Width * factor)), Math.Max(1, (int)Math.Ceiling(size.Height * factor)));
    }
}
