using LlmQueue.Contracts;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Tests.Intake;

public sealed class LabelsTests
{
    private static readonly DateTime Now = new(2026, 11, 27, 12, 0, 0, DateTimeKind.Utc);

    [Theory]
    [InlineData("not JSON")]
    [InlineData("7")]
    [InlineData("{\"a\":{}}")]
    [InlineData("{\"a\":\"\\ud800\"}")]
    [InlineData("")]
    public void Reading_never_fails(string kept) => Assert.Contains("llmqueue.unreadable", Labels.Read(kept)!.Keys);

    [Fact]
    public void Labels_are_labels_and_not_content()
    {
        Assert.Contains("at most 64", Refusal(Enumerable.Range(0, 65).ToDictionary(i => $"k{i}", _ => "v")), StringComparison.Ordinal);
        Assert.Contains("at most 32,000", Refusal(new() { ["k"] = new string('v', 32_001) }), StringComparison.Ordinal);
    }

    private static string? Refusal(Dictionary<string, string> labels) =>
        TaskIntake.Read(new LlmTask { Prompt = "Why?", Metadata = labels }, Guid.NewGuid(), "acme", Now).Refusal;
}
