using System.Text;
using LlmQueue.OpenAi;

namespace LlmQueue.Tests.Api;

public sealed class JsonBodyTests
{
    [Theory]
    [InlineData("{\"a\":\"plain\"}", null)]
    [InlineData("{\"a\":\"\\ud83d\\ude00\"}", null)]
    [InlineData("{\"a\":\"\\u00e4\\n\\\\ud800\"}", null)]
    [InlineData("{\"a\":\"\\ud800\"}", 6)]
    [InlineData("{\"a\":\"\\ud800x\\udc00\"}", 6)]
    [InlineData("{\"a\":\"\\udc00\\ud800\"}", 6)]
    [InlineData("{\"a\":\"\\\\\\ud800\"}", 8)]
    [InlineData("\\", null)]
    public void Half_of_a_character_is_found_wherever_it_stands(string json, int? at) =>
        Assert.Equal(at, JsonText.WhereBroken(Encoding.UTF8.GetBytes(json)));

    [Fact]
    public void Bytes_that_are_not_UTF_8_are_found() => Assert.NotNull(JsonText.WhereBroken([(byte)'"', 0xFF, (byte)'"']));
}
