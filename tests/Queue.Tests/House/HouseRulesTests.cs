using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using LlmQueue.Limits;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Tests.House;

/// <summary>Who may know whom. Each rule has a twin that breaks it, so that a rule which has stopped looking is noticed.</summary>
public sealed partial class HouseRulesTests
{
    private static readonly Dictionary<string, string[]> MayReference = new(StringComparer.Ordinal)
    {
        ["Contracts"] = [],
        ["Store"] = ["Contracts"],
        ["Worker"] = ["Store", "Contracts"],
        ["Api"] = ["Store", "Contracts"],
        ["Embedded"] = ["Worker", "Api", "Store", "Contracts"],
    };

    /// <summary>A package's namespaces, and the folders or files of src that alone may use them.</summary>
    private static readonly (string Package, string[] Homes)[] PackageHomes =
    [
        ("OpenAI", ["Worker/Calling/"]),
        ("System.ClientModel", ["Worker/Calling/"]),
        ("Polly", ["Worker/Calling/"]),
        ("Quartz", ["Worker/Upkeep/", "Worker/WorkerServices.cs"]),
        ("Spectre.Console", ["Embedded/"]),
        ("System.CommandLine", ["Embedded/"]),
        ("dotenv.net", ["Store/Settings/"]),
        // Npgsql lives in Store. These speak to the database themselves, each for a statement that no row of the store's model is: a
        // claim, a sweep, a lock.
        ("Npgsql", [
            "Store/",
            "Worker/Estimation/", "Worker/Admission/Pacing/LineHeads.cs", "Worker/Admission/Pacing/Pacer.cs",
            "Worker/Admission/Pacing/PacerRound.cs", "Worker/Admission/Pacing/RoundBooking.cs", "Worker/Admission/Pacing/RoundWork.cs",
            "Worker/Calling/Claims.cs", "Worker/Classification/ClassificationCache.cs",
            "Worker/Upkeep/CatalogueTakeUp.cs", "Worker/Upkeep/Heartbeat.cs", "Worker/Upkeep/ProbeJob.cs", "Worker/Upkeep/Rescuer.cs",
            "Worker/Upkeep/UpkeepJobs.cs", "Worker/WorkerServices.cs",
            "Embedded/PrivatePostgres.cs",
        ]),
    ];

    private static readonly Type[] NotForRules =
    [
        typeof(DbContext), typeof(ILogger), typeof(ILoggerFactory), typeof(TimeProvider), typeof(NpgsqlDataSource),
        typeof(IServiceProvider), typeof(Random),
    ];

    [Fact]
    public void Projects_know_only_whom_they_may()
    {
        var projects = Directory.GetFiles(Path.Combine(BuiltPrograms.Repository, "src"), "*.csproj", SearchOption.AllDirectories);

        Assert.Equal(MayReference.Keys.Order(), projects.Select(p => Path.GetFileNameWithoutExtension(p)).Order());
        Assert.Empty(projects.SelectMany(p => Trespasses(Path.GetFileNameWithoutExtension(p), XDocument.Load(p))));
    }

    [Fact]
    public void A_project_that_knows_too_much_is_found() =>
        Assert.Equal(["Api knows Worker"], Trespasses("Api", XDocument.Parse("""<Project><ItemGroup><ProjectReference Include="../Store/Store.csproj" /><ProjectReference Include="..\Worker\Worker.csproj" /></ItemGroup></Project>""")));

    [Fact]
    public void The_simulator_shares_no_code_with_what_it_is_to_judge() =>
        Assert.Empty(
            References(XDocument.Load(Path.Combine(BuiltPrograms.Repository, "tests", "ProviderSimulator", "ProviderSimulator.csproj"))));

    [Fact]
    public void Every_package_stays_in_its_home()
    {
        var files = Sources().ToList();

        Assert.Empty(Strays(files));
        // An exception that nobody needs any more is taken out of the list.
        foreach (var (package, homes) in PackageHomes)
            Assert.All(homes.Where(h => h.EndsWith(".cs", StringComparison.Ordinal)), home => Assert.True(
                files.Exists(f => f.Path == home && Uses(f.Text, package)),
                $"{home} does not use {package} any more: take it out of {nameof(PackageHomes)}."));
    }

    [Fact]
    public void A_package_that_strays_is_found()
    {
        Assert.Equal(["Worker/Lifecycle/X.cs uses Polly", "Worker/Lifecycle/X.cs uses OpenAI"],
            Strays([("Worker/Lifecycle/X.cs", "using Polly.Timeout;\nusing OpenAI;\nusing OpenAIsh;\n")])
                .OrderDescending(StringComparer.Ordinal));
        Assert.Equal(["Api/X.cs uses Npgsql"], Strays([("Api/X.cs", "class X { Npgsql.NpgsqlConnection c; }")]));
        Assert.Empty(Strays([("Worker/Calling/X.cs", "using Polly;\nusing OpenAI.Chat;\n")]));
    }

    [Fact]
    public void Which_folder_of_the_worker_reads_which_is_approved()
    {
        var reads = Sources().Where(f => f.Path.StartsWith("Worker/", StringComparison.Ordinal) && f.Path.Count(c => c == '/') > 1)
            .SelectMany(f => WorkerUsings().Matches(f.Text).Select(m => (From: f.Path.Split('/')[1], To: m.Groups[1].Value)))
            .Where(r => r.From != r.To).Distinct()
            .GroupBy(r => r.From).OrderBy(g => g.Key, StringComparer.Ordinal);

        Approval.Verify("worker-folders.txt",
            string.Concat(reads.Select(g => $"{g.Key} reads {string.Join(", ", g.Select(r => r.To).Order(StringComparer.Ordinal))}\n")));
    }

    [Fact]
    public void Rules_take_values_and_return_values()
    {
        var rules = new[] { typeof(BucketRule).Assembly, typeof(WorkerHost).Assembly }.SelectMany(a => a.GetTypes())
            .Where(t => t.Name.EndsWith("Rule", StringComparison.Ordinal)).ToList();

        Assert.True(rules.Count >= 6, $"Only {rules.Count} rules were found.");
        Assert.Empty(rules.SelectMany(WhatARuleMustNotHave));
    }

    [Fact]
    public void A_rule_that_looks_at_a_clock_or_waits_for_something_is_found() =>
        Assert.Equal(
            ["ImpureRule.Decide takes a TimeProvider", "ImpureRule.Load is asynchronous", "ImpureRule.logger is a ILogger"],
            WhatARuleMustNotHave(typeof(ImpureRule)).Order(StringComparer.Ordinal));

    private static IEnumerable<string> Trespasses(string project, XDocument file) =>
        References(file).Except(MayReference[project]).Select(other => $"{project} knows {other}");

    private static IEnumerable<string> References(XDocument file) =>
        file.Descendants("ProjectReference")
            .Select(r => Path.GetFileNameWithoutExtension(((string)r.Attribute("Include")!).Replace('\\', '/')));

    private static IEnumerable<string> Strays(IEnumerable<(string Path, string Text)> files) =>
        from file in files
        from home in PackageHomes
        where Uses(file.Text, home.Package) && !home.Homes.Any(h => file.Path.StartsWith(h, StringComparison.Ordinal))
        select $"{file.Path} uses {home.Package}";

    // A using, or a name written out; not a word in a comment.
    private static bool Uses(string text, string package) =>
        Regex.IsMatch(text,
            $@"^\s*(global )?using (static )?{Regex.Escape(package)}[.;]|^[^/\n]*(?<![\w.""]){Regex.Escape(package)}\.[A-Z]\w*[ .(<{{?]",
            RegexOptions.Multiline, TimeSpan.FromSeconds(5));

    private static IEnumerable<(string Path, string Text)> Sources()
    {
        var root = Path.Combine(BuiltPrograms.Repository, "src");
        return Directory.GetFiles(root, "*.cs", SearchOption.AllDirectories)
            .Select(f => (Path: Path.GetRelativePath(root, f).Replace('\\', '/'), Text: File.ReadAllText(f)))
            .Where(f => !f.Path.Contains("/obj/", StringComparison.Ordinal) && !f.Path.Contains("/bin/", StringComparison.Ordinal));
    }

    private static IEnumerable<string> WhatARuleMustNotHave(Type rule)
    {
        const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance
            | BindingFlags.DeclaredOnly;
        foreach (var method in rule.GetMethods(All).Cast<MethodBase>().Concat(rule.GetConstructors(All)))
        {
            foreach (var parameter in method.GetParameters().Where(p => IsForbidden(p.ParameterType)))
                yield return $"{rule.Name}.{method.Name} takes a {parameter.ParameterType.Name}";
            if (method is MethodInfo { ReturnType: var returned }
                && (typeof(Task).IsAssignableFrom(returned) || returned.Name.StartsWith("ValueTask", StringComparison.Ordinal)))
                yield return $"{rule.Name}.{method.Name} is asynchronous";
        }

        foreach (var field in rule.GetFields(All).Where(f => IsForbidden(f.FieldType)))
            yield return $"{rule.Name}.{field.Name} is a {field.FieldType.Name}";
    }

    private static bool IsForbidden(Type type) => Array.Exists(NotForRules, forbidden => forbidden.IsAssignableFrom(type));

    [GeneratedRegex(@"^using LlmQueue\.Worker\.(\w+)[.;]", RegexOptions.Multiline, 1000)]
    private static partial Regex WorkerUsings();

    private static class ImpureRule
    {
        private static readonly ILogger? logger = null;

        public static DateTimeOffset Decide(TimeProvider clock) => clock.GetUtcNow();

        public static Task Load() => Task.FromResult(logger);
    }
}
