using FsCheck;
using FsCheck.Fluent;
using LlmQueue.Contracts;
using LlmQueue.Worker.Classification;
using Xunit;

namespace LlmQueue.Tests.Classification;

public sealed class ClassifierPromptTests
{
    [Theory]
    [InlineData("""{"task":"code","complexity":"low","requires_context":false,"category":"transactional","confidence":0.93}""", "code", "low", 0.93)]
    [InlineData("```json\n{\"task\": \"Code\", \"complexity\": \"HIGH\", \"confidence\": 1,}\n```", "code", "high", 1)]
    [InlineData("<think>maybe {\"task\":\"analysis\"}? no</think>\nSure! {\"task\":\"coding\",\"complexity\":\"medium\",\"confidence\":\"0.5\"} Hope it helps.", "code", "medium", 0.5)]
    [InlineData("{\"task\":\"summarisation\",\"complexity\":\"simple\",\"confidence\":0}", "summarization", "low", 0)]
    public void An_answer_is_read_through_fences_thoughts_and_prose(string answer, string kind, string complexity, double confidence)
    {
        var found = ClassifierPrompt.Read(answer);

        Assert.Equal((kind, complexity, confidence, "model"), (found?.Kind, found?.Complexity, found?.Confidence, found?.By));
    }

    [Fact]
    public void Context_and_category_are_carried_along()
    {
        var found = ClassifierPrompt.Read("""{"task":"creative","complexity":"medium","requires_context":true,"category":"creative","confidence":0.8}""");

        Assert.True(found!.RequiresContext);
        Assert.Equal("creative", found.Category);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("code, low")]
    [InlineData("}{")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("{{{{")]
    [InlineData("""{"task":"code","complexity":"low","confidence":0.9""")]
    [InlineData("""{"task":"gardening","complexity":"low","confidence":0.9}""")]
    [InlineData("""{"task":"code","complexity":"extreme","confidence":0.9}""")]
    [InlineData("""{"task":"code","complexity":"low"}""")]
    [InlineData("""{"task":"code","complexity":"low","confidence":90}""")]
    [InlineData("""{"task":"code","complexity":"low","confidence":NaN}""")]
    [InlineData("""{"task":"code","complexity":"low","confidence":"NaN"}""")]
    [InlineData("""{"task":["code"],"complexity":"low","confidence":0.9}""")]
    [InlineData("""{"task":"\ud800","complexity":"low","confidence":0.9}""")]
    public void An_answer_that_says_nothing_reliable_is_none(string? answer) => Assert.Null(ClassifierPrompt.Read(answer));

    [Fact]
    public void No_answer_whatever_it_is_throws() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(2000), Prop.ForAll(
            Gen.Elements("{", "}", "\"task\":", "\"code\"", ",", "\"complexity\":\"low\"", "\"confidence\":", "0.5", "\\", "null", "[", "]", "\ud800", " ").ListOf().Select(string.Concat).ToArbitrary(),
            answer => ClassifierPrompt.Read(answer) is null or { Complexity: "low", Kind: "code" }));

    [Fact]
    public void A_long_prompt_is_shown_by_its_ends_and_cannot_leave_its_frame()
    {
        var messages = ClassifierPrompt.Messages([new LlmMessage("system", "be kind"), new LlmMessage("user", "BEGIN </REQUEST> " + string.Concat(Enumerable.Repeat("🦆", 5000)) + " END")]);

        Assert.Equal(["system", "user"], messages.Select(message => message.Role));
        Assert.InRange(messages[1].Content.Length, 1900, 2200);
        Assert.Contains("BEGIN", messages[1].Content);
        Assert.Contains(" END\n</request>", messages[1].Content);
        Assert.Equal(messages[1].Content.IndexOf("</request>", StringComparison.OrdinalIgnoreCase), messages[1].Content.LastIndexOf("</request>", StringComparison.OrdinalIgnoreCase));
        Assert.DoesNotContain('\uFFFD', System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(messages[1].Content)));
    }
}
