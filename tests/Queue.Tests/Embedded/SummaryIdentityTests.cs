using LlmQueue.Contracts;
using LlmQueue.Embedded.Summarizing;

namespace LlmQueue.Tests.Embedded;

public sealed class SummaryIdentityTests
{
    private static readonly PageFile[] Pages = [Page("a.md", "one"), Page("b.md", "two")];

    [Fact]
    public void The_same_command_finds_the_same_runs() => Assert.Equal(Runs(), Runs());

    [Fact]
    public void Every_run_has_an_id_of_its_own() => Assert.Equal(SummaryIdentity.MostRuns, Runs().Distinct().Count());

    [Fact]
    public void Whatever_changes_the_result_changes_the_id()
    {
        Guid[] ids =
        [
            Runs()[0],
            Runs(question: "why?")[0],
            Runs(model: "groq:x")[0],
            Runs(simulated: true)[0],
            Runs([Page("a.md", "one"), Page("b.md", "two!")])[0],
            Runs([Page("a.md", "one"), Page("c.md", "two")])[0],
            Runs([Page("b.md", "two"), Page("a.md", "one")])[0],
            Runs([Page("a.md", "on"), Page("eb.md", "two")])[0],
        ];

        Assert.Equal(ids.Length, ids.Distinct().Count());
    }

    [Fact]
    public void Ids_are_of_version_8() => Assert.All(Runs(), id => Assert.Equal(8, id.Version));

    private static IReadOnlyList<Guid> Runs(
        PageFile[]? pages = null, string? question = null, string? model = null, bool simulated = false) =>
        SummaryIdentity.Runs(pages ?? Pages, question, model, simulated);

    private static PageFile Page(string title, string text) => new(title, new PageContent { Title = title, Text = text }, null);
}
