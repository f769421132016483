using LlmQueue.Storage;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.House;

/// <summary>
/// Inside a project the folders form a graph without a circle, so that each can be read with only those it knows. Catalogue, Limits,
/// Contracts and OpenAi are one room each: they have nothing to order.
/// </summary>
public sealed class FolderTests
{
    /// <summary>
    /// QueueDb is the schema: it names every row, and every query begins with it. What it names is a list of tables and no dependency of
    /// behavior, so its own arrows do not count.
    /// </summary>
    private const string Schema = "QueueDb";

    [Theory]
    [InlineData("Worker")]
    [InlineData("Storage")]
    [InlineData("Api")]
    [InlineData("Hosting")]
    [InlineData("Embedded")]
    public void No_way_leads_back_to_the_folder_it_began_in(string project)
    {
        var circle = FolderGraph.Circle(Arrows(project));

        Assert.True(circle is null, $"{project} has a circle: {circle}. Move what both need into a folder that knows neither.");
    }

    /// <summary>Files at the root that compose the project know everything, and are left out of the list.</summary>
    [Theory]
    [InlineData("Worker", "folders-worker.txt")]
    [InlineData("Storage", "folders-storage.txt")]
    [InlineData("Api", "folders-api.txt")]
    public void Who_knows_whom_is_approved(string project, string approved)
    {
        var roots = SourceFile.All.Where(file => file.Project == project && file.Folder.Length == 0).Select(file => file.Name).ToHashSet();
        var lines = Arrows(project).Where(arrow => !roots.Contains(arrow.From)).GroupBy(arrow => arrow.From)
            .Select(group => $"{group.Key} knows {string.Join(", ", group.Select(arrow => arrow.To))}\n");

        Approval.Verify(approved, string.Concat(lines));
    }

    [Fact]
    public void A_circle_is_found_however_long_it_is()
    {
        Assert.Equal("B → C → D → B", FolderGraph.Circle([new("A", "B"), new("B", "C"), new("C", "D"), new("D", "B")]));
        Assert.Equal("A → B → A", FolderGraph.Circle([new("A", "B"), new("B", "A")]));
        Assert.Null(FolderGraph.Circle([new("A", "B"), new("A", "C"), new("B", "D"), new("C", "D")]));
    }

    [Fact]
    public void An_arrow_is_found_by_a_using_by_a_written_name_and_by_a_type_of_a_folder_around()
    {
        SourceFile[] files =
        [
            new("P/A/One.cs", "using LlmQueue.P.B;\nnamespace LlmQueue.P.A;\ninternal sealed class One;\n"),
            new("P/B/Two.cs", "namespace LlmQueue.P.B;\n/// <see cref=\"One\"/>\ninternal sealed class Two { LlmQueue.P.C.Three x; }\n"),
            new("P/C/Three.cs", "namespace LlmQueue.P.C;\ninternal sealed class Three { string s = \"Options\"; }\n"),
            new("P/C/D/Four.cs", "namespace LlmQueue.P.C.D;\ninternal sealed class Four(Three three, Options options);\n"),
            new("P/Options.cs", "namespace LlmQueue.P;\ninternal sealed class Options { int Word() => 1; }\n"),
            new("P/Root.cs", "namespace LlmQueue.P;\ninternal static class Root { static int Doubled(this Options o) => o.Word(); }\n"),
            new("P/E/Five.cs", "using LlmQueue.Q.A;\nnamespace LlmQueue.P.E;\ninternal sealed class Five(int options) { int x = y.Doubled(); }\n"),
            new("Q/A/One.cs", "namespace LlmQueue.Q.A;\ninternal sealed class One;\n"),
        ];

        Assert.Equal(["A B", "B C", "C/D C", "C/D Options", "E Root", "Root Options"],
            FolderGraph.Of("P", files).Select(arrow => $"{arrow.From} {arrow.To}"));
    }

    private static List<FolderArrow> Arrows(string project)
    {
        var arrows = FolderGraph.Of(project, SourceFile.All).Where(arrow => arrow.From != Schema).ToList();
        Assert.True(arrows.Count > 3, $"Only {arrows.Count} arrows were found in {project}.");
        return arrows;
    }
}
