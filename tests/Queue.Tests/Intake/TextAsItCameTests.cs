using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using LlmQueue.Contracts;
using LlmQueue.Storage;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Api;

namespace LlmQueue.Tests.Intake;

/// <summary>
/// What a producer writes is what is kept, to the last character. Serialised JSON was once searched for an escape and edited, which broke every
/// text that had those six characters in it: the task could never be read again.
/// </summary>
public sealed class TextAsItCameTests
{
    private static readonly DateTime Now = new(2026, 11, 27, 12, 0, 0, DateTimeKind.Utc);

    /// <summary>Pieces that have broken somebody's text handling: escapes written out, quotes, markup, characters outside the first plane.</summary>
    private static readonly string[] Pieces =
    [
        "\\u0000", "\\\\u0000", "\\u", "0000", "\\", "\"", "'", "{", "}", "[", "]", "</request >", "\n", "\r\n", "\t", "\u2028", "\ufeff", "\u0001",
        "é", "e\u0301", "日本", "😀", "a", " ", "%", "$1", "\u202e",
    ];

    private static readonly Arbitrary<string> Texts = Gen.Elements(Pieces).ListOf().Select(pieces => "Why " + string.Concat(pieces)).ToArbitrary();

    [Fact]
    public void A_prompt_comes_back_as_it_was() => Check.One(Config.QuickThrowOnFailure, Prop.ForAll(Texts, text =>
    {
        var taken = TaskIntake.Read(new LlmTask { Prompt = text }, Guid.NewGuid(), "acme", Now);

        Assert.Equal(text, StoredPrompt.Read(taken.Prompt).Messages.Single().Content);
    }));

    [Fact]
    public void Metadata_comes_back_as_it_was() => Check.One(Config.QuickThrowOnFailure, Prop.ForAll(Texts, text =>
    {
        var taken = TaskIntake.Read(new LlmTask { Prompt = "Why?", Metadata = Labels(text) }, Guid.NewGuid(), "acme", Now);

        Assert.Equal(Labels(text), JsonSerializer.Deserialize<Dictionary<string, string>>(taken.Row.Metadata!, StoredJson.Options));
    }));

    [Fact]
    public void A_tools_description_comes_back_as_it_was() => Check.One(Config.QuickThrowOnFailure, Prop.ForAll(Texts, text =>
    {
        var parameters = JsonSerializer.SerializeToElement(new { stop = new[] { text }, tools = new[] { new { type = "function", description = text } } });
        var taken = TaskIntake.Read(new LlmTask { Prompt = "Why?", Parameters = parameters }, Guid.NewGuid(), "acme", Now);

        var kept = StoredPrompt.Read(taken.Prompt).Parameters!.Value;
        Assert.Equal(text, kept.GetProperty("stop")[0].GetString());
        Assert.Equal(text, kept.GetProperty("tools")[0].GetProperty("description").GetString());
    }));

    [Fact]
    public void A_page_comes_back_as_it_was() => Check.One(Config.QuickThrowOnFailure, Prop.ForAll(Texts, text =>
    {
        var request = new SummarizePages { Pages = [new PageContent { Text = text }, new PageContent { Html = text }], Metadata = Labels(text) };
        var taken = SummaryIntake.Read(request, Guid.NewGuid(), "acme", Now);

        Assert.Equal((text, text), (SummaryIntake.ReadPage(taken.Pages[0].Content).Text, SummaryIntake.ReadPage(taken.Pages[1].Content).Html));
        Assert.Equal(Labels(text), JsonSerializer.Deserialize<Dictionary<string, string>>(taken.Row.Metadata!, StoredJson.Options));
    }));

    private static Dictionary<string, string> Labels(string text) => new(StringComparer.Ordinal) { ["note"] = text, [text] = "note" };
}
