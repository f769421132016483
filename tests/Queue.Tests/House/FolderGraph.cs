using System.Text.RegularExpressions;

namespace LlmQueue.Tests.House;

/// <summary>One folder, or one file at a project's root, knows another of the same project.</summary>
internal sealed record FolderArrow(string From, string To);

/// <summary>
/// Which folder of a project knows which, from the types that its files use. A sub-folder counts on its own. So does each file at the
/// project's root: some of them compose the whole project, and others (its options) are known to all of it.
/// </summary>
internal static partial class FolderGraph
{
    public static IReadOnlyList<FolderArrow> Of(string project, IReadOnlyList<SourceFile> files)
    {
        var own = files.Where(file => file.Project == project).ToList();
        var folders = own.Select(file => file.Folder).Where(folder => folder.Length > 0).ToHashSet(StringComparer.Ordinal);
        var names = own.SelectMany(file => Declared(file).Select(name => (name, file))).ToLookup(d => d.name, d => d.file);
        return [.. own.SelectMany(file => Known(project, file, folders, names).Select(to => new FolderArrow(Node(file), to)))
            .Where(arrow => arrow.From != arrow.To).Distinct()
            .OrderBy(arrow => arrow.From, StringComparer.Ordinal).ThenBy(arrow => arrow.To, StringComparer.Ordinal)];
    }

    /// <summary>The first way that leads back to where it began, as a sentence; null where there is none.</summary>
    public static string? Circle(IReadOnlyList<FolderArrow> arrows)
    {
        var known = arrows.ToLookup(arrow => arrow.From, arrow => arrow.To, StringComparer.Ordinal);
        var done = new HashSet<string>(StringComparer.Ordinal);
        return known.Select(group => Search([group.Key])).FirstOrDefault(found => found is not null);

        string? Search(List<string> way)
        {
            if (done.Contains(way[^1]))
                return null;
            foreach (var next in known[way[^1]])
            {
                if (way.IndexOf(next) is var place && place >= 0)
                    return string.Join(" → ", way[place..].Append(next));
                if (Search([.. way, next]) is { } found)
                    return found;
            }

            done.Add(way[^1]);
            return null;
        }
    }

    private static string Node(SourceFile file) => file.Folder.Length > 0 ? file.Folder : file.Name;

    private static IEnumerable<string> Known(
        string project, SourceFile file, HashSet<string> folders, ILookup<string, SourceFile> names)
    {
        var code = file.Code;
        foreach (Match match in Namespaces().Matches(code))
        {
            var parts = match.Groups["name"].Value.Split('.');
            if (parts[0] != project)
                continue;
            // A using names a folder whole; a name that is written out goes on with a type.
            for (var length = parts.Length - 1; length > 0; length--)
                if (string.Join('/', parts[1..(length + 1)]) is var folder && folders.Contains(folder))
                {
                    yield return folder;
                    break;
                }
        }

        // The folders around a file and the project's root are seen without a using: there the types' own names tell.
        foreach (var word in Words().Matches(Usings().Replace(code, "")).Select(match => match.Value).Distinct())
            foreach (var other in names[word].Where(other => Surrounds(other, file)))
                yield return Node(other);
    }

    private static bool Surrounds(SourceFile other, SourceFile file) =>
        other.Folder != file.Folder && (other.Folder.Length == 0 || file.Folder.StartsWith(other.Folder + "/", StringComparison.Ordinal))
        || (other.Folder.Length == 0 && file.Folder.Length == 0 && other.Path != file.Path);

    private static IEnumerable<string> Declared(SourceFile file) =>
        Types().Matches(file.Code).Concat(Extensions().Matches(file.Code)).Select(match => match.Groups["name"].Value).Distinct();

    [GeneratedRegex(@"(?<!namespace )\bLlmQueue\.(?<name>\w+(\.\w+)*)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Namespaces();

    [GeneratedRegex(@"^(using|namespace) [^\n]+", RegexOptions.Multiline, 1000)]
    private static partial Regex Usings();

    /// <summary>A name that stands alone, or a method that is called on something: it may be an extension.</summary>
    [GeneratedRegex(@"(?<![\w.])[A-Z]\w*|(?<=\.)[A-Z]\w*(?=\(|<)", RegexOptions.None, 1000)]
    private static partial Regex Words();

    [GeneratedRegex(
        @"^(public |internal |file )?(static |sealed |abstract |readonly |partial |ref )*(class|record struct|record|struct|interface|enum) (?<name>\w+)",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Types();

    [GeneratedRegex(@"\bstatic [^;={\n]*?\b(?<name>\w+)(<[^>\n]*>)?\(this ", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Extensions();
}
