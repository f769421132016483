using System.Runtime.InteropServices;
using System.Text;
using LlmQueue.Embedded;
using LlmQueue.Embedded.Summarizing;
using LlmQueue.Tests.Api;

namespace LlmQueue.Tests.Embedded;

/// <summary>A command reads files, and of a folder only those that lie in it.</summary>
public sealed class RegularFileTests : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("llmqueue-files-");

    private string Folder => Directory.CreateDirectory(Path.Combine(_root.FullName, "named")).FullName;

    public void Dispose() => _root.Delete(recursive: true);

    [Fact]
    public void Links_that_lead_out_of_the_folder_are_passed_by_with_a_sentence()
    {
        var secret = Path.Combine(_root.FullName, "secret.md");
        File.WriteAllText(secret, "secret");
        Directory.CreateDirectory(Path.Combine(_root.FullName, "named-too"));
        File.WriteAllText(Path.Combine(_root.FullName, "named-too", "other.md"), "secret");
        File.WriteAllText(Path.Combine(Folder, "page.md"), "text");
        Link("inside.md", "page.md");
        Link("absolute.md", secret);
        Link("relative.md", "../secret.md");
        Link("sibling.md", "../named-too/other.md");
        Link("zero.md", "/dev/zero");
        Link("nowhere.md", "../nothing.md");
        Link("circle.md", "circle.md");
        Directory.CreateSymbolicLink(Path.Combine(Folder, "up"), "..");
        Link("through.md", "up/secret.md");

        var found = PageFiles.Read([Folder]);

        Assert.Equal(["inside.md", "page.md"], found.Pages.Select(p => p.Title));
        Assert.All(found.Pages, page => Assert.Equal("text", page.Content!.Text));
        Assert.Equal(8, found.Skipped.Count);
        Assert.Equal(5, found.Skipped.Count(s => s.EndsWith("is a link that leads out of the folder.", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_link_that_was_named_itself_and_a_folder_that_is_one_are_followed()
    {
        File.WriteAllText(Path.Combine(Folder, "page.md"), "text");
        var link = Path.Combine(_root.FullName, "link.md");
        File.CreateSymbolicLink(link, Path.Combine(Folder, "page.md"));
        var folder = Path.Combine(_root.FullName, "alias");
        Directory.CreateSymbolicLink(folder, Folder);
        File.CreateSymbolicLink(Path.Combine(Folder, "again.md"), "page.md");

        Assert.Equal("text", Assert.Single(PageFiles.Read([link]).Pages).Content!.Text);
        Assert.Equal(2, PageFiles.Read([folder]).Pages.Count);
    }

    [Fact]
    public void A_pipe_without_a_writer_is_not_waited_for()
    {
        File.WriteAllText(Path.Combine(Folder, "page.md"), "text");
        var pipe = Path.Combine(Folder, "pipe.md");
        Assert.Equal(0, mkfifo(Encoding.UTF8.GetBytes(pipe + '\0'), 0x180));

        var found = PageFiles.Read([Folder]);

        Assert.Single(found.Pages);
        Assert.Contains("is a pipe, a socket or a device; expected a file", Assert.Single(found.Skipped), StringComparison.Ordinal);
        Assert.Contains("is a pipe", Assert.Throws<RefusalException>(() => PageFiles.Read([pipe])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_without_an_end_is_not_read_to_it() => Assert.Throws<NotAFileException>(() => RegularFile.Read("/dev/zero", 1000));

    [Fact]
    public void A_file_that_is_too_large_is_refused_before_it_is_read()
    {
        var path = Path.Combine(Folder, "large.md");
        File.WriteAllBytes(path, new byte[1001]);

        Assert.Contains("at most", Assert.Throws<IOException>(() => RegularFile.Read(path, 1000)).Message, StringComparison.Ordinal);
        Assert.Equal(1001, RegularFile.Read(path, 1001).Length);
    }

    private void Link(string name, string target) => File.CreateSymbolicLink(Path.Combine(Folder, name), target);

    [DllImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int mkfifo(byte[] path, uint mode);
}
