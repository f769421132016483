using System.Text.Json;
using LlmQueue.Contracts;

namespace LlmQueue.Tests.Intake;

/// <summary>A message is the same whoever wrote it: this queue, a producer of another language, or a client of OpenAI's.</summary>
public sealed class LlmMessageTests
{
    [Fact]
    public void Everything_of_a_message_is_read_as_it_was_written()
    {
        var calls = JsonSerializer.SerializeToElement(
            new[] { new { id = "call_1", type = "function", function = new { name = "weather", arguments = "{}" } } });
        LlmMessage[] messages =
        [
            new("user", "What is it?") { Name = "anna", Images = [new LlmImage("https://example.com/a.png", "low")] },
            new("assistant", "") { ToolCalls = calls }, new("tool", "21 °C") { ToolCallId = "call_1" },
        ];

        var read = JsonSerializer.Deserialize<LlmMessage[]>(JsonSerializer.Serialize(messages, JsonSerializerOptions.Web),
            JsonSerializerOptions.Web)!;

        Assert.Equal(messages.Select(m => (m.Role, m.Content, m.Name, m.ToolCallId)),
            read.Select(m => (m.Role, m.Content, m.Name, m.ToolCallId)));
        Assert.Equal(messages[0].Images, read[0].Images);
        Assert.Equal(calls.GetRawText(), read[1].ToolCalls!.Value.GetRawText());
    }

    [Fact]
    public void A_turn_as_OpenAI_has_it_is_read_as_well()
    {
        var read = JsonSerializer.Deserialize<LlmMessage[]>("""
            [{"role": "assistant", "content": null, "tool_calls": [{"id": "call_1"}]}, {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "21"}, {"type": "text", "text": "°C"}]}]
            """)!;

        Assert.Equal(("", "call_1"), (read[0].Content, read[0].ToolCalls!.Value[0].GetProperty("id").GetString()));
        Assert.Equal(("21\n°C", "call_1"), (read[1].Content, read[1].ToolCallId));
    }

    [Theory]
    [InlineData("""{"role": "user", "content": 7}""", ".content is a number; expected a string, or a list of parts")]
    [InlineData("""{"role": 7, "content": "Why?"}""", ".role is a number; expected a string")]
    [InlineData("""{"role": "user", "content": [{"type": "input_audio"}]}""",
        ".content[0] is of type 'input_audio'; expected 'text' or 'image_url'")]
    [InlineData("\"Why?\"", " is a string; expected an object with 'role' and 'content'")]
    public void What_does_not_fit_is_kept_as_a_sentence(string json, string misfit) =>
        Assert.Equal(misfit, JsonSerializer.Deserialize<LlmMessage>(json)!.Misfit);
}
