using LlmQueue.Tests.Harness;
using LlmQueue.Worker.PageSummaries.Html;

namespace LlmQueue.Tests.PageSummaries;

/// <summary>
/// Pages of many makes and what a person would copy out of them. A page's expected text lies beside it: its title, a line of "=====", and
/// the text.
/// </summary>
public sealed class HtmlPagesTests
{
    private static readonly string Folder = Path.Combine(BuiltPrograms.Repository, "tests", "Queue.Tests", "PageSummaries", "Pages");

    public static TheoryData<string> Pages() =>
        [.. Directory.GetFiles(Folder, "*.html").Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Pages))]
    public void A_page_reads_as_a_person_would_read_it(string page)
    {
        var (title, text) = HtmlText.Read(File.ReadAllText(Path.Combine(Folder, $"{page}.html")));

        Assert.Equal(File.ReadAllText(Path.Combine(Folder, $"{page}.txt")), $"{title}\n=====\n{text}\n");
    }

    [Fact]
    public void There_are_pages_of_thirty_makes_at_least() => Assert.True(Directory.GetFiles(Folder, "*.html").Length >= 30);
}
