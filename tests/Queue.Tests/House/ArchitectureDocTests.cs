using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.House;

/// <summary>
/// The documents against the source: docs/architecture.md walks through files and methods that exist, and every path that a document
/// names is there. Decision records are history and keep the paths of their day.
/// </summary>
public sealed partial class ArchitectureDocTests
{
    private const string Document = "docs/architecture.md";

    private static readonly string[] Documents =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", .. Directory.GetFiles(Path.Combine(BuiltPrograms.Repository, "docs"), "*.md")
            .Where(file => !file.EndsWith(".received.md", StringComparison.Ordinal))
            .Select(file => $"docs/{Path.GetFileName(file)}")];

    [Theory]
    [InlineData("## The walk of a task", 14)]
    [InlineData("## The walk of a batch line", 12)]
    public void A_walk_enters_every_file_once_and_its_short_form_few(string heading, int mostInBold)
    {
        var walk = Section(Read(Document), heading);
        var stops = Stops(walk);

        Assert.Empty(WhatIsWrong(stops));
        Assert.Contains($"runs through {stops.Count} files", walk, StringComparison.Ordinal);
        Assert.InRange(stops.Count(stop => stop.IsBold), 1, mostInBold);
    }

    [Fact]
    public void A_walk_that_has_lost_its_way_is_found()
    {
        const string Walk = """
            | 1 | [BatchLock.cs](../src/Storage/Batches/BatchLock.cs) | `Take` | fine |
            | 2 | **[BatchLock.cs](../src/Storage/Batches/BatchLock.cs)** | `Take` | again |
            | 3 | [Gone.cs](../src/Storage/Gone.cs) | `Take` | no such file |
            | 5 | [BatchLine.cs](../src/Worker/Batches/BatchLine.cs) | `Read`, `Reed` | no such method |
            """;

        Assert.Equal(
            ["2: src/Storage/Batches/BatchLock.cs is entered twice", "3: src/Storage/Gone.cs is not there",
                "5: expected number 4", "5: src/Worker/Batches/BatchLine.cs has no method Reed"],
            WhatIsWrong(Stops(Walk)));
    }

    [Fact]
    public void The_picture_has_the_references_of_the_projects()
    {
        var references = Directory.GetFiles(Path.Combine(BuiltPrograms.Repository, "src"), "*.csproj", SearchOption.AllDirectories)
            .SelectMany(project => References(project).Select(other => $"{Path.GetFileNameWithoutExtension(project)} --> {other}"))
            .Order(StringComparer.Ordinal);

        Assert.Equal(references, Arrows(Read(Document)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void An_arrow_is_read_from_the_picture() =>
        Assert.Equal(["Api --> Hosting"], Arrows("```mermaid\nflowchart BT\n    Api --> Hosting\n```\nApi --> Nobody\n"));

    [Fact]
    public void Every_path_that_a_document_names_is_there()
    {
        Assert.NotEmpty(Documents.SelectMany(document => Paths(document, Read(document))));
        Assert.Empty(Documents.SelectMany(document => Missing(document, Read(document))));
    }

    [Fact]
    public void A_path_that_is_not_there_is_found() =>
        Assert.Equal(
            ["docs/x.md names src/Store", "docs/x.md names src/Worker/Gone.cs", "docs/x.md names tests/Nobody.cs"],
            Missing("docs/x.md", """
                `src/Store`, `src/Worker` and `src/Worker/Gone.cs:12`, [a](../tests/Nobody.cs#top), [b](../src/Api/Program.cs),
                `bench/drain.sh --runs 3`, `src/*/X.cs`, `dotnet run --project src/Api`
                """).Order(StringComparer.Ordinal));

    private static string Read(string document) => File.ReadAllText(Path.Combine(BuiltPrograms.Repository, document));

    private static bool Exists(string path) =>
        Path.Combine(BuiltPrograms.Repository, path) is var place && (File.Exists(place) || Directory.Exists(place));

    private static string Section(string text, string heading)
    {
        var start = text.IndexOf($"\n{heading}\n", StringComparison.Ordinal);
        Assert.True(start >= 0, $"{Document} has no section '{heading}'.");
        var end = text.IndexOf("\n## ", start + heading.Length, StringComparison.Ordinal);
        return end < 0 ? text[start..] : text[start..end];
    }

    private static List<Stop> Stops(string walk) =>
    [
        .. Row().Matches(walk).Select(row => new Stop(
            int.Parse(row.Groups["number"].Value, CultureInfo.InvariantCulture), row.Groups["path"].Value,
            row.Groups["bold"].Value.Length > 0, [.. Name().Matches(row.Groups["methods"].Value).Select(name => name.Groups[1].Value)])),
    ];

    private static IEnumerable<string> WhatIsWrong(List<Stop> stops)
    {
        var entered = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (index, stop) in stops.Index())
        {
            if (stop.Number != index + 1)
                yield return $"{stop.Number}: expected number {index + 1}";
            if (!entered.Add(stop.Path))
                yield return $"{stop.Number}: {stop.Path} is entered twice";
            if (!Exists(stop.Path))
            {
                yield return $"{stop.Number}: {stop.Path} is not there";
                continue;
            }

            var text = Read(stop.Path);
            foreach (var method in stop.Methods.Where(method => !Regex.IsMatch(text, $@"\b{method}(<\w+>)?\(", RegexOptions.None,
                TimeSpan.FromSeconds(1))))
                yield return $"{stop.Number}: {stop.Path} has no method {method}";
        }
    }

    private static IEnumerable<string> References(string project) =>
        XDocument.Load(project).Descendants("ProjectReference")
            .Select(reference => Path.GetFileNameWithoutExtension(((string)reference.Attribute("Include")!).Replace('\\', '/')));

    private static IEnumerable<string> Arrows(string text) =>
        Mermaid().Matches(text).SelectMany(picture => Arrow().Matches(picture.Value)).Select(arrow => arrow.Value.Trim());

    private static IEnumerable<string> Missing(string document, string text) =>
        Paths(document, text).Where(path => !Exists(path)).Select(path => $"{document} names {path}");

    private static IEnumerable<string> Paths(string document, string text)
    {
        var folder = Path.GetDirectoryName(document)!.Replace('\\', '/');
        var linked = Link().Matches(text).Select(link => link.Groups[1].Value)
            .Select(path => path.StartsWith("../", StringComparison.Ordinal) ? path[3..] : folder.Length > 0 ? $"{folder}/{path}" : path)
            .Where(path => InSource().IsMatch(path));
        var quoted = Code().Matches(text).SelectMany(code => InText().Matches(code.Groups[1].Value)).Select(path => path.Value)
            .Where(path => !path.Contains('*', StringComparison.Ordinal));
        return linked.Concat(quoted).Select(path => path.TrimEnd('/', '.')).Distinct(StringComparer.Ordinal);
    }

    private sealed record Stop(int Number, string Path, bool IsBold, IReadOnlyList<string> Methods);

    [GeneratedRegex(@"^\| (?<number>\d+) \| (?<bold>\*\*)?\[[^\]]+\]\(\.\./(?<path>[^)]+)\)(\*\*)? \| (?<methods>[^|]+) \|",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Row();

    [GeneratedRegex(@"`(\w+)`", RegexOptions.None, 1000)]
    private static partial Regex Name();

    [GeneratedRegex("```mermaid.*?```", RegexOptions.Singleline, 1000)]
    private static partial Regex Mermaid();

    [GeneratedRegex(@"\w+ --> \w+", RegexOptions.None, 1000)]
    private static partial Regex Arrow();

    [GeneratedRegex(@"\]\(([^)#\s]+)", RegexOptions.None, 1000)]
    private static partial Regex Link();

    [GeneratedRegex("`([^`\n]+)`", RegexOptions.None, 1000)]
    private static partial Regex Code();

    [GeneratedRegex("^(src|tests|bench)/", RegexOptions.None, 1000)]
    private static partial Regex InSource();

    [GeneratedRegex(@"(?<![\w/.~-])(src|tests|bench)/[\w./*-]+", RegexOptions.None, 1000)]
    private static partial Regex InText();
}
