namespace LlmQueue.Embedded.Summarizing;

/// <summary>A file below a folder that was named.</summary>
/// <param name="Path">In full.</param>
/// <param name="Name">Below the folder.</param>
/// <param name="Given">As the person would name it.</param>
internal sealed record FoundFile(string Path, string Name, string Given);

/// <summary>Lists the files below a folder, and nothing that lies outside of it.</summary>
internal static class FolderWalk
{
    /// <summary>As the kernel has it: a link that leads through more is a circle.</summary>
    private const int MostLinks = 40;

    /// <param name="given">The folder as it was named.</param>
    /// <param name="skipped">What is passed by, a sentence each. Hidden files are a tool's and are passed by in silence.</param>
    public static IEnumerable<FoundFile> Below(string given, List<string> skipped)
    {
        var root = Path.GetFullPath(given);
        var real = RealPath(root) ?? root;
        var waiting = new Queue<string>([root]);
        while (waiting.TryDequeue(out var folder))
        {
            FileSystemInfo[] entries;
            try
            {
                entries = new DirectoryInfo(folder).GetFileSystemInfos();
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                skipped.Add($"The folder '{folder}' cannot be read: {fault.Message}");
                continue;
            }

            foreach (var entry in entries.Where(entry => !entry.Name.StartsWith('.')))
            {
                var name = Path.GetRelativePath(root, entry.FullName);
                var found = new FoundFile(entry.FullName, name.Replace('\\', '/'), Path.Combine(given, name));
                if (entry.LinkTarget is not null)
                {
                    if (WhyNotFollowed(entry.FullName, real) is not { } reason)
                        yield return found;
                    else
                        skipped.Add($"'{found.Given}' is a link {reason}.");
                }
                else if (entry is DirectoryInfo)
                    waiting.Enqueue(entry.FullName);
                else
                    yield return found;
            }
        }
    }

    private static string? WhyNotFollowed(string link, string folder) => RealPath(link) switch
    {
        null => "that leads nowhere",
        // What it leads to is read where it lies, or leads in a circle.
        var target when Directory.Exists(target) => "to a folder",
        var target when !target.StartsWith(folder.TrimEnd('/') + "/", StringComparison.Ordinal) => "that leads out of the folder",
        _ => null,
    };

    /// <summary>Where a path leads with every link in it followed; null when that is nowhere.</summary>
    internal static string? RealPath(string path)
    {
        try
        {
            var waiting = new Stack<string>(Path.GetFullPath(path).Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse());
            var real = Path.GetPathRoot(Path.GetFullPath(path))!;
            for (var links = 0; waiting.TryPop(out var part);)
            {
                var next = part == ".." ? Path.GetDirectoryName(real) ?? real : part == "." ? real : Path.Combine(real, part);
                if (part is ".." or "." || new FileInfo(next).LinkTarget is not { } target)
                {
                    real = next;
                    continue;
                }

                if (++links > MostLinks)
                    return null;
                if (Path.IsPathRooted(target))
                    real = Path.GetPathRoot(target)!;
                foreach (var piece in target.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse())
                    waiting.Push(piece);
            }

            return File.Exists(real) || Directory.Exists(real) ? real : null;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
