using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.OpenAi;
using LlmQueue.Storage.Intake;
using LlmQueue.Worker.Calling.Providers;

namespace LlmQueue.Tests.Intake;

public sealed class ImageRuleTests
{
    private static readonly DateTime Noon = new(2026, 11, 21, 12, 0, 0, DateTimeKind.Utc);

    /// <summary>The first bytes of pictures of 640 × 480, as encoders write them.</summary>
    public static TheoryData<string, byte[]> Pictures { get; } = new()
    {
        { "png", [0x89, .. "PNG\r\n\u001a\n"u8, 0, 0, 0, 13, .. "IHDR"u8, 0, 0, 2, 128, 0, 0, 1, 224, 8, 2, 0, 0, 0] },
        { "gif", [.. "GIF89a"u8, 0x80, 0x02, 0xE0, 0x01, 0, 0, 0, 0] },
        {
            "jpeg", [0xFF, 0xD8, 0xFF, 0xE0, 0, 16, .. "JFIF\0"u8, 1, 1, 0, 0, 1, 0, 1, 0, 0, 0xFF, 0xDB, 0, 4, 0, 1, 0xFF, 0xC2, 0, 17, 8,
                1, 224, 2, 128, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]
        },
        { "webp", [.. "RIFF"u8, 0, 0, 0, 0, .. "WEBPVP8X"u8, 10, 0, 0, 0, 0, 0, 0, 0, 127, 2, 0, 223, 1, 0] },
        { "webp", [.. "RIFF"u8, 0, 0, 0, 0, .. "WEBPVP8L"u8, 10, 0, 0, 0, 0x2F, 0x7F, 0xC2, 0x77, 0, 0, 0, 0, 0, 0] },
        { "webp", [.. "RIFF"u8, 0, 0, 0, 0, .. "WEBPVP8 "u8, 10, 0, 0, 0, 0, 0, 0, 0x9D, 0x01, 0x2A, 0x80, 0x02, 0xE0, 0x01] },
    };

    [Theory]
    [MemberData(nameof(Pictures))]
    public void A_picture_says_its_size_in_its_first_bytes(string kind, byte[] bytes)
    {
        var image = new LlmImage($"data:image/{kind};base64,{Convert.ToBase64String(bytes)}");

        Assert.Equal(new ImageSize(640, 480), ImageRule.SizeOf(image));
        Assert.Null(ImageRule.WhatIsWrong([new LlmMessage("user", "What is it?") { Images = [image] }]));
    }

    [Theory]
    [InlineData("http://example.com/a.png", "expected an https address")]
    [InlineData("file:///etc/passwd", "expected an https address")]
    [InlineData("https://me:secret@example.com/a.png", "expected an https address")]
    [InlineData("a.png", "expected an https address")]
    [InlineData("data:image/svg+xml;base64,PHN2Zz4=", "expected data:image/png;base64")]
    [InlineData("data:text/html;base64,PHN2Zz4=", "expected data:image/png;base64")]
    [InlineData("data:image/png;base64,%%%%", "is not base64 after its comma")]
    [InlineData("data:image/png;base64,PHN2Zz4=", "is no picture that can be read: its first bytes are not those of png")]
    [InlineData("data:image/png;base64,", "is no picture that can be read")]
    public void What_is_no_image_is_refused_with_a_sentence(string url, string sentence) =>
        Assert.Contains(sentence, ImageRule.WhatIsWrong([new LlmMessage("user", "What is it?") { Images = [new LlmImage(url)] }]),
            StringComparison.Ordinal);

    [Fact]
    public void What_is_too_large_or_too_many_is_refused_with_the_limit()
    {
        var address = new LlmImage("https://example.com/a.png");
        var large = new LlmImage("data:image/png;base64," + new string('A', ImageRule.LongestDataUrl));

        Assert.Contains("6 images; at most 5", Wrong([.. Enumerable.Repeat(address, 6)]), StringComparison.Ordinal);
        Assert.Contains("a data URL may have at most 4,194,304", Wrong([large]), StringComparison.Ordinal);
        Assert.Contains("the detail 'sharp'", Wrong([address with { Detail = "sharp" }]), StringComparison.Ordinal);
        Assert.Contains("of role 'user' only", ImageRule.WhatIsWrong([new LlmMessage("system", "Look!") { Images = [address] }]),
            StringComparison.Ordinal);

        static string? Wrong(IReadOnlyList<LlmImage> images) =>
            ImageRule.WhatIsWrong([new LlmMessage("user", "What is it?") { Images = images }]);
    }

    [Theory]
    [InlineData("openai", 1024, 1024, null, 765)] // 768 × 768: four tiles
    [InlineData("openai", 2048, 4096, null, 1105)] // 768 × 1536: six tiles
    [InlineData("openai", 4096, 8192, "low", 85)]
    [InlineData("gemini", 384, 384, null, 258)]
    [InlineData("gemini", 960, 540, null, 516)]
    [InlineData("anthropic", 1092, 1092, null, 1590)]
    [InlineData("mistral", 1024, 1024, null, 4160)]
    [InlineData("groq", 560, 560, null, 402)]
    public void An_image_counts_as_its_provider_says(string provider, int width, int height, string? detail, int tokens) =>
        Assert.Equal(tokens, ProviderRegistry.Of(provider).ImageTokens(new ImageSize(width, height), detail));

    [Theory]
    [InlineData("""{"role": "user", "content": "Why?"}""", "Why?", 0)]
    [InlineData("""{"Role": "user", "Content": [{"type": "text", "text": "One"}, {"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": "low"}}, {"type": "text", "text": "Two"}]}""", "One\nTwo", 1)]
    [InlineData("""{"role": "user", "content": []}""", "", 0)]
    public void A_message_is_read_as_OpenAI_writes_it_and_written_so_that_it_is_read_again(string json, string content, int images)
    {
        var message = JsonSerializer.Deserialize<LlmMessage>(json, JsonSerializerOptions.Web)!;
        var again = JsonSerializer.Deserialize<LlmMessage>(JsonSerializer.Serialize(message, JsonSerializerOptions.Web),
            JsonSerializerOptions.Web)!;

        Assert.Equal(("user", content, images, null), (message.Role, message.Content, message.Images?.Count ?? 0, message.Misfit));
        Assert.Equal((message.Role, message.Content), (again.Role, again.Content));
        Assert.Equal(message.Images ?? [], again.Images ?? []);
    }

    [Theory]
    [InlineData("""{"role": "user", "content": 7}""", "messages[0].content is a number; expected a string, or a list of parts.")]
    [InlineData("""{"role": 7, "content": "x"}""", "messages[0].role is a number; expected a string.")]
    [InlineData("""{"role": "user", "content": [{"type": "input_audio"}]}""",
        "messages[0].content[0] is of type 'input_audio'; expected 'text' or 'image_url'.")]
    [InlineData("""{"role": "user", "content": [{"type": "image_url", "image_url": "https://a/b.png"}]}""",
        "messages[0].content[0] has no 'image_url.url'; expected")]
    [InlineData("""{"role": "user", "content": [{"type": "text"}]}""", "messages[0].content[0] has no 'text'; expected the part's words.")]
    [InlineData("\"Why?\"", "messages[0] is a string; expected an object")]
    public void What_cannot_be_read_of_a_message_is_the_reason_why_its_task_is_rejected(string json, string sentence)
    {
        var message = JsonSerializer.Deserialize<LlmMessage>(json, JsonSerializerOptions.Web)!;

        Assert.StartsWith(sentence, TaskIntake.Read(new LlmTask { Messages = [message] }, Guid.NewGuid(), null, Noon).Refusal,
            StringComparison.Ordinal);
    }
}
