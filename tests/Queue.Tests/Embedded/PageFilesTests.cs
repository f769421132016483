using System.Text;
using LlmQueue.Embedded;
using LlmQueue.Embedded.Summarizing;
using LlmQueue.Tests.Api;

namespace LlmQueue.Tests.Embedded;

public sealed class PageFilesTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("llmqueue-pages").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void A_folder_is_read_with_all_below_it_in_the_order_of_its_paths()
    {
        Write("b.md", "# B");
        Write("a/z.txt", "Z");
        Write("a/page.HTML", "<p>P</p>");

        var pages = PageFiles.Read([folder]).Pages;

        Assert.Equal(["a/page.HTML", "a/z.txt", "b.md"], pages.Select(p => p.Title));
        Assert.Equal("<p>P</p>", pages[0].Content!.Html);
        Assert.Equal("Z", pages[1].Content!.Text);
    }

    [Fact]
    public void What_is_no_page_is_named_and_does_not_stop_the_rest()
    {
        Write("a.md", "text");
        Write("picture.png", "not text");

        var found = PageFiles.Read([folder]);

        Assert.Single(found.Pages);
        Assert.Contains("picture.png", Assert.Single(found.Skipped), StringComparison.Ordinal);
    }

    [Fact]
    public void A_page_that_cannot_be_read_stays_in_the_list_with_its_reason()
    {
        File.WriteAllBytes(Path.Combine(folder, "binary.md"), [0x7F, (byte)'E', (byte)'L', (byte)'F', 0, 0, 1]);
        Write("empty.txt", "");
        Write("blank.txt", " \n\n");
        Write("good.md", "text");

        var pages = PageFiles.Read([folder]).Pages;

        Assert.Equal(["binary.md", "blank.txt", "empty.txt", "good.md"], pages.Select(p => p.Title));
        Assert.Equal([true, true, true, false], pages.Select(p => p.Content is null && p.Wrong is not null));
        Assert.Contains("binary", pages[0].Wrong, StringComparison.Ordinal);
    }

    [Fact]
    public void Hidden_files_and_circles_of_links_are_passed_by()
    {
        Write("a.md", "text");
        Write(".git/config.txt", "text");
        Directory.CreateSymbolicLink(Path.Combine(folder, "again"), folder);

        Assert.Single(PageFiles.Read([folder]).Pages);
    }

    [Fact]
    public void A_file_named_twice_is_one_page()
    {
        Write("a.md", "text");

        Assert.Single(PageFiles.Read([folder, Path.Combine(folder, "a.md")]).Pages);
    }

    [Fact]
    public void Files_of_one_name_in_two_folders_keep_names_that_tell_them_apart()
    {
        Write("one/a.md", "1");
        Write("two/a.md", "2");

        var titles = PageFiles.Read([Path.Combine(folder, "one"), Path.Combine(folder, "two")]).Pages.Select(p => p.Title).ToList();

        Assert.Equal(2, titles.Distinct().Count());
    }

    [Fact]
    public void A_folder_without_pages_and_a_path_that_is_not_there_are_refused()
    {
        Assert.Contains("no page", Assert.Throws<RefusalException>(() => PageFiles.Read([folder])).Message, StringComparison.Ordinal);
        Assert.Contains("nowhere", Assert.Throws<RefusalException>(() => PageFiles.Read([Path.Combine(folder, "nowhere")])).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("äöü €", "utf-8")]
    [InlineData("äöü", "latin1")]
    public void Text_is_read_in_the_encodings_that_are_met(string text, string encoding) =>
        Assert.Equal(text, PageFiles.Decode(Encoding.GetEncoding(encoding).GetBytes(text)));

    [Fact]
    public void Marks_of_byte_order_are_understood_and_left_out()
    {
        Assert.Equal("ä", PageFiles.Decode([.. Encoding.UTF8.GetPreamble(), .. Encoding.UTF8.GetBytes("ä")]));
        Assert.Equal("ä", PageFiles.Decode([.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes("ä")]));
        Assert.Equal("ä", PageFiles.Decode([.. Encoding.BigEndianUnicode.GetPreamble(), .. Encoding.BigEndianUnicode.GetBytes("ä")]));
    }

    private void Write(string name, string text)
    {
        var path = Path.Combine(folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }
}
