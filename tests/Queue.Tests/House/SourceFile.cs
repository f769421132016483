using System.Text.RegularExpressions;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.House;

/// <summary>A source file of src, by its path from there with slashes: <c>Worker/Planning/TaskPlanner.cs</c>.</summary>
internal sealed partial record SourceFile(string Path, string Text)
{
    public string Project => Path.Split('/')[0];

    /// <summary>The folder inside its project; empty for a file at the project's root.</summary>
    public string Folder => string.Join('/', Path.Split('/')[1..^1]);

    public string Name => System.IO.Path.GetFileNameWithoutExtension(Path);

    /// <summary>The text without comments and plain strings, in which words mean nothing. What is interpolated stays.</summary>
    public string Code => CommentOrString().Replace(Text, match => match.Value[0] == '$' ? match.Value : " ");

    public static IReadOnlyList<SourceFile> All { get; } = Read();

    private static List<SourceFile> Read()
    {
        var root = System.IO.Path.Combine(BuiltPrograms.Repository, "src");
        return [.. Directory.GetFiles(root, "*.cs", SearchOption.AllDirectories)
            .Select(file => new SourceFile(System.IO.Path.GetRelativePath(root, file).Replace('\\', '/'), File.ReadAllText(file)))
            .Where(file => !file.Path.Contains("/obj/", StringComparison.Ordinal)
                && !file.Path.Contains("/bin/", StringComparison.Ordinal))
            .OrderBy(file => file.Path, StringComparer.Ordinal)];
    }

    [GeneratedRegex(@"\$*""{3,}[\s\S]*?""{3,}|\$?@?""(\\.|""""|[^""\\\n])*""|'(\\.|[^'\\\n])'|//[^\n]*|/\*[\s\S]*?\*/",
        RegexOptions.ExplicitCapture, 5000)]
    private static partial Regex CommentOrString();
}
