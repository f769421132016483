using System.Text.RegularExpressions;
using System.Xml.Linq;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.House;

/// <summary>
/// An image is built from what its Dockerfile copies: a project that its host references and that is not copied fails the build only
/// where Docker is, so it is found here.
/// </summary>
public sealed partial class DockerfileTests
{
    [Theory]
    [InlineData("Worker")]
    [InlineData("Api")]
    public void An_image_copies_every_project_that_its_host_references(string host)
    {
        var dockerfile = File.ReadAllText(Path.Combine(BuiltPrograms.Repository, "src", host, "Dockerfile"));

        Assert.Empty(WhatIsWrong(dockerfile, ProjectsOf(host)));
    }

    [Fact]
    public void Every_Dockerfile_is_looked_at() =>
        Assert.Equal(["Api", "Worker"],
            Directory.GetFiles(Path.Combine(BuiltPrograms.Repository, "src"), "Dockerfile", SearchOption.AllDirectories)
                .Select(file => Path.GetFileName(Path.GetDirectoryName(file))).Order(StringComparer.Ordinal));

    [Fact]
    public void A_project_that_is_missing_or_not_needed_is_found() =>
        Assert.Equal(
            ["src/B is not copied", "src/B/B.csproj is not copied before the restore", "src/Old is copied and is no project of the host",
                "src/Old/Old.csproj is copied and is no project of the host"],
            WhatIsWrong("COPY src/A/A.csproj src/A/\nCOPY src/Old/Old.csproj src/Old/\nRUN dotnet restore\nCOPY src/A src/A\n"
                + "COPY src/Old src/Old\nCOPY src/B/B.csproj src/B/\n", ["A", "B"]).Order(StringComparer.Ordinal));

    [Fact]
    public void References_of_references_count() =>
        Assert.Superset(new HashSet<string> { "Worker", "Hosting", "Contracts" }, ProjectsOf("Worker"));

    private static HashSet<string> ProjectsOf(string host)
    {
        var (projects, open) = (new HashSet<string>(StringComparer.Ordinal), new Queue<string>([host]));
        while (open.TryDequeue(out var project))
        {
            if (!projects.Add(project))
                continue;
            foreach (var reference in XDocument.Load(Path.Combine(BuiltPrograms.Repository, "src", project, $"{project}.csproj"))
                .Descendants("ProjectReference"))
                open.Enqueue(Path.GetFileNameWithoutExtension(((string)reference.Attribute("Include")!).Replace('\\', '/')));
        }

        return projects;
    }

    private static IEnumerable<string> WhatIsWrong(string dockerfile, IReadOnlyCollection<string> projects)
    {
        var restore = dockerfile.IndexOf("dotnet restore", StringComparison.Ordinal);
        var (before, copied) = (Copied(dockerfile[..restore]), Copied(dockerfile));
        foreach (var project in projects)
        {
            if (!before.Contains($"src/{project}/{project}.csproj"))
                yield return $"src/{project}/{project}.csproj is not copied before the restore";
            if (!copied.Contains($"src/{project}"))
                yield return $"src/{project} is not copied";
        }

        foreach (var path in copied.Where(path => !projects.Contains(path.Split('/')[1])))
            yield return $"{path} is copied and is no project of the host";
    }

    private static HashSet<string> Copied(string dockerfile) =>
        [.. Copy().Matches(dockerfile).Select(copy => copy.Groups[1].Value)];

    [GeneratedRegex(@"^COPY (src/\S+) src/", RegexOptions.Multiline, 1000)]
    private static partial Regex Copy();
}
