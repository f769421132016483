using System.Text;
using LlmQueue.Contracts;

namespace LlmQueue.Embedded.Summarizing;

/// <summary>A file that is meant to be a page.</summary>
/// <param name="Title">Its path as the person knows it: below the folder that was named.</param>
/// <param name="Content">What is to be summarised; null when it cannot be read as text.</param>
/// <param name="Wrong">Why it cannot, as a sentence.</param>
internal sealed record PageFile(string Title, PageContent? Content, string? Wrong);

/// <summary>The pages that were found under the paths of a command.</summary>
/// <param name="Pages">In the order of their paths; those that cannot be read among them, because they fail and do not vanish.</param>
/// <param name="Skipped">What is no page, a sentence each.</param>
internal sealed record FoundPages(IReadOnlyList<PageFile> Pages, IReadOnlyList<string> Skipped);

/// <summary>Reads files and folders into pages.</summary>
internal static class PageFiles
{
    private static readonly string[] Html = [".html", ".htm"];
    private static readonly string[] Extensions = [".md", ".txt", .. Html];

    /// <summary>The intake takes 20 million characters of a page, each of at most four bytes.</summary>
    private const int LargestFile = 80_000_000;

    /// <summary>All pages are held in memory until they are handed in.</summary>
    private const long LargestTogether = 500_000_000;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <exception cref="RefusalException">A path does not exist, or nothing under the paths is a page.</exception>
    public static FoundPages Read(IReadOnlyList<string> paths)
    {
        var missing = paths.Where(path => !File.Exists(path) && !Directory.Exists(path)).ToList();
        if (missing.Count > 0)
            throw new RefusalException(string.Join('\n', missing.Select(path => $"There is no file or folder '{path}'.")));
        var skipped = new List<string>();
        // A link that was named itself is what the person wants; one that was only found must not lead out of the folder that was named.
        var files = paths
            .SelectMany(path => Directory.Exists(path)
                ? FolderWalk.Below(path, skipped)
                : [new FoundFile(Path.GetFullPath(path), Path.GetFileName(path), path)])
            .DistinctBy(file => file.Path).OrderBy(file => file.Path, StringComparer.Ordinal).ToList();
        // The name below its folder is what the person knows; where two folders have the same, the path as it was given tells them apart.
        var twice = files.CountBy(file => file.Name).Where(pair => pair.Value > 1).Select(pair => pair.Key).ToHashSet();
        var pages = new List<PageFile>();
        var together = 0L;
        foreach (var file in files)
        {
            if (!Extensions.Contains(Path.GetExtension(file.Path).ToLowerInvariant()))
                skipped.Add($"'{file.Given}' is no page: expected {string.Join(", ", Extensions)}.");
            else if (ReadPage(file.Path, twice.Contains(file.Name) ? file.Given : file.Name, ref together) is { } page)
                pages.Add(page);
            else
                skipped.Add($"'{file.Given}' is {NotAFileException.What}.");
            if (together > LargestTogether)
                throw new RefusalException(
                    $"The pages have more than {LargestTogether / 1_000_000} MB together; name fewer files or folders at a time.");
        }

        if (pages.Count == 0)
            throw new RefusalException(string.Join('\n', [.. skipped.Take(5),
                $"There is no page under {string.Join(", ", paths.Select(p => $"'{p}'"))}; "
                    + $"expected files ending in {string.Join(", ", Extensions)}."]));
        return new FoundPages(pages, skipped);
    }

    /// <returns>Null when it is no file.</returns>
    private static PageFile? ReadPage(string path, string title, ref long together)
    {
        try
        {
            var bytes = RegularFile.Read(path, LargestFile);
            together += bytes.Length;
            if (bytes.Length == 0)
                return new PageFile(title, null, "The file is empty.");
            if (Decode(bytes) is not { } text)
                return new PageFile(title, null,
                    $"The file is binary although its name ends in {Path.GetExtension(path)}; expected text. Extract its text first.");
            if (string.IsNullOrWhiteSpace(text))
                return new PageFile(title, null, "The file has nothing but blanks in it.");
            var html = Html.Contains(Path.GetExtension(path).ToLowerInvariant());
            return new PageFile(title, new PageContent { Title = title, Text = html ? null : text, Html = html ? text : null }, null);
        }
        catch (NotAFileException)
        {
            return null;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return new PageFile(title, null, $"The file cannot be read: {fault.Message}");
        }
    }

    /// <summary>
    /// Text in UTF-8, in UTF-16 with its mark, or in Latin-1 as old pages are; null for anything with control characters in it.
    /// </summary>
    internal static string? Decode(byte[] bytes)
    {
        var text = bytes switch
        {
            [0xEF, 0xBB, 0xBF, ..] => Encoding.UTF8.GetString(bytes.AsSpan(3)),
            [0xFF, 0xFE, ..] => Encoding.Unicode.GetString(bytes.AsSpan(2)),
            [0xFE, 0xFF, ..] => Encoding.BigEndianUnicode.GetString(bytes.AsSpan(2)),
            _ => Utf8(bytes) ?? Encoding.Latin1.GetString(bytes),
        };
        return text.Any(c => char.IsControl(c) && c is not ('\t' or '\n' or '\r' or '\f' or '\u001b' or '\u0085')) ? null : text;
    }

    private static string? Utf8(byte[] bytes)
    {
        try
        {
            return Strict.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }
}
