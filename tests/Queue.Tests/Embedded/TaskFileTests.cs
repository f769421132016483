using LlmQueue.Catalogue;
using LlmQueue.Embedded.Tasks;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.Embedded;

public sealed class TaskFileTests
{
    private static readonly DateTime Now = new(2026, 11, 21, 12, 0, 0, DateTimeKind.Utc);
    private static readonly ModelChecks Models = new(
        new CurrentCatalogue(ModelCatalogue.Load(Path.Combine(BuiltPrograms.Repository, "catalogue.json"))));

    [Fact]
    public void The_same_file_has_the_same_ids_and_a_given_id_is_kept()
    {
        const string text =
            "{\"prompt\":\"a\"}\n\n{\"prompt\":\"a\"}\n{\"prompt\":\"b\",\"id\":\"0199f0a2-7c1e-7b7a-9d55-3f1f6f0c8a11\"}\n";

        var (once, again) = (Read(text), Read(text));

        Assert.Empty(once.Problems);
        Assert.Equal(once.Tasks.Select(t => t.Id), again.Tasks.Select(t => t.Id));
        Assert.Equal(3, once.Tasks.Select(t => t.Id).Distinct().Count());
        Assert.Equal(Guid.Parse("0199f0a2-7c1e-7b7a-9d55-3f1f6f0c8a11"), once.Tasks[2].Id);
    }

    [Theory]
    [InlineData("nonsense", "not JSON")]
    [InlineData("{\"prompt\":\"\"}", "empty")]
    [InlineData("{\"prompt\":5}", "'prompt' is a number")]
    [InlineData("{}", "neither 'prompt' nor 'messages'")]
    [InlineData("[]", "expected")]
    [InlineData("{\"prompt\":\"a\",\"model\":\"groq:nope\"}", "not in the catalogue")]
    [InlineData("{\"prompt\":\"a\",\"deadline\":\"2020-01-01T00:00:00Z\"}", "has passed already")]
    public void A_bad_line_is_named_with_its_number_and_its_reason(string line, string reason)
    {
        var file = Read($"{{\"prompt\":\"good\"}}\n{line}\n");

        Assert.Single(file.Tasks);
        var problem = Assert.Single(file.Problems);
        Assert.StartsWith("Line 2", problem, StringComparison.Ordinal);
        Assert.Contains(reason, problem, StringComparison.Ordinal);
    }

    [Fact]
    public void An_id_that_stands_there_twice_is_refused()
    {
        const string line = "{\"prompt\":\"a\",\"id\":\"0199f0a2-7c1e-7b7a-9d55-3f1f6f0c8a11\"}\n";

        Assert.Contains("line 1", Assert.Single(Read(line + line).Problems), StringComparison.Ordinal);
    }

    private static TaskFile Read(string text) => TaskFile.Read(text, Models, Now);
}
