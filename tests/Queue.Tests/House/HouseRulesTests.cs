using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using LlmQueue.Api;
using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Embedded;
using LlmQueue.Hosting.Settings;
using LlmQueue.Limits;
using LlmQueue.OpenAi;
using LlmQueue.Storage;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Tests.House;

/// <summary>Who may know whom. Each rule has a twin that breaks it, so that a rule which has stopped looking is noticed.</summary>
public sealed class HouseRulesTests
{
    private static readonly string[] Values = ["Contracts", "Limits", "Catalogue", "OpenAi"];

    /// <summary>Contracts ← {Limits, Catalogue, OpenAi} ← Storage ← Hosting ← {Worker, Api} ← Embedded; Worker and Api never meet.</summary>
    private static readonly Dictionary<string, string[]> MayReference = new(StringComparer.Ordinal)
    {
        ["Contracts"] = [],
        ["Limits"] = ["Contracts"],
        ["Catalogue"] = ["Contracts"],
        // A request of OpenAI's clients names a model.
        ["OpenAi"] = ["Contracts", "Catalogue"],
        ["Storage"] = Values,
        ["Hosting"] = [.. Values, "Storage"],
        ["Worker"] = [.. Values, "Storage", "Hosting"],
        ["Api"] = [.. Values, "Storage", "Hosting"],
        ["Embedded"] = [.. Values, "Storage", "Hosting", "Worker", "Api"],
    };

    /// <summary>A package's namespaces, and the folders or files of src that alone may use them.</summary>
    private static readonly (string Package, string[] Homes)[] PackageHomes =
    [
        ("OpenAI", ["Worker/Calling/Wire/"]),
        ("System.ClientModel", ["Worker/Calling/Wire/"]),
        ("Polly", ["Worker/Calling/Guards/"]),
        // A probe is a durable timer of Quartz, as the jobs of maintenance are.
        ("Quartz", ["Worker/Maintenance/", "Worker/Probes/", "Worker/MaintenanceServices.cs"]),
        ("Spectre.Console", ["Embedded/"]),
        ("System.CommandLine", ["Embedded/"]),
        ("dotenv.net", ["Hosting/Settings/"]),
        ("Npgsql", [
            "Storage/",
            // Is the server there, is its address well formed, is its fault a passing one: asked before there is a store.
            "Hosting/QueueConsole.cs", "Hosting/ServerChecks.cs", "Hosting/Settings/ServerUrls.cs", "Embedded/PrivatePostgres.cs",
            // Each of these is a statement of its own that no row of the store's model is: a claim, a sweep, a lock, a lease, a sum that
            // all workers share.
            "Worker/Scheduling/", "Worker/Estimation/", "Worker/Leases/", "Worker/Calling/Claiming/Claims.cs",
            "Worker/Classification/ClassificationCache.cs", "Worker/Maintenance/BucketOpening.cs", "Worker/Maintenance/MaintenanceJobs.cs",
            "Worker/Probes/ProbeFindings.cs", "Worker/MaintenanceServices.cs", "Worker/WorkerPreparation.cs",
        ]),
    ];

    /// <summary>The programs and libraries of src.</summary>
    internal static readonly Assembly[] Assemblies =
    [
        typeof(LlmTask).Assembly, typeof(BucketRule).Assembly, typeof(ModelCatalogue).Assembly, typeof(ChatAnswer).Assembly,
        typeof(QueueDb).Assembly, typeof(QueueSettings).Assembly, typeof(WorkerHost).Assembly, typeof(ApiHost).Assembly,
        typeof(CommandContext).Assembly,
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
        Assert.Equal(["Api knows Worker"], Trespasses("Api", XDocument.Parse("""
            <Project><ItemGroup>
              <ProjectReference Include="../Storage/Storage.csproj" />
              <ProjectReference Include="..\Worker\Worker.csproj" />
            </ItemGroup></Project>
            """)));

    /// <summary>Nothing of a database, a bus or a host: neither by a package of their own nor by what they were compiled against.</summary>
    [Theory]
    [InlineData("Contracts")]
    [InlineData("Limits")]
    [InlineData("Catalogue")]
    [InlineData("OpenAi")]
    public void Projects_of_values_need_no_package(string project)
    {
        Assert.Empty(Packages(XDocument.Load(Path.Combine(BuiltPrograms.Repository, "src", project, project + ".csproj"))));
        var assembly = Assert.Single(Assemblies, a => a.GetName().Name == "LlmQueue." + project);
        Assert.Empty(Foreign(assembly.GetReferencedAssemblies().Select(a => a.Name!)));
    }

    [Fact]
    public void A_project_of_values_that_takes_a_package_is_found()
    {
        Assert.Equal(["Npgsql", "Microsoft.AspNetCore.App"], Packages(XDocument.Parse("""
            <Project><ItemGroup>
              <PackageReference Include="Npgsql" /><FrameworkReference Include="Microsoft.AspNetCore.App" />
            </ItemGroup></Project>
            """)));
        Assert.Equal(["MassTransit", "Npgsql"], Foreign(["System.Runtime", "MassTransit", "LlmQueue.Contracts", "Npgsql"]));
        Assert.NotEmpty(Foreign(typeof(QueueDb).Assembly.GetReferencedAssemblies().Select(a => a.Name!)));
    }

    [Fact]
    public void The_simulator_shares_no_code_with_what_it_is_to_judge() =>
        Assert.Empty(
            References(XDocument.Load(Path.Combine(BuiltPrograms.Repository, "tests", "ProviderSimulator", "ProviderSimulator.csproj"))));

    [Fact]
    public void Every_package_stays_in_its_home()
    {
        var files = SourceFile.All;

        Assert.Empty(Strays(files));
        // An exception that nobody needs any more is taken out of the list.
        foreach (var (package, homes) in PackageHomes)
            Assert.All(homes.Where(h => h.EndsWith(".cs", StringComparison.Ordinal)), home => Assert.True(
                files.Any(f => f.Path == home && Uses(f.Text, package)),
                $"{home} does not use {package} any more: take it out of {nameof(PackageHomes)}."));
    }

    [Fact]
    public void A_package_that_strays_is_found()
    {
        Assert.Equal(["Worker/Lifecycle/X.cs uses Polly", "Worker/Lifecycle/X.cs uses OpenAI"],
            Strays([new("Worker/Lifecycle/X.cs", "using Polly.Timeout;\nusing OpenAI;\nusing OpenAIsh;\n")])
                .OrderDescending(StringComparer.Ordinal));
        Assert.Equal(["Api/X.cs uses Npgsql"], Strays([new("Api/X.cs", "class X { Npgsql.NpgsqlConnection c; }")]));
        Assert.Empty(Strays([new("Worker/Calling/Guards/X.cs", "using Polly;\n"), new("Worker/Calling/Wire/X.cs", "using OpenAI.Chat;\n")]));
    }

    [Fact]
    public void Rules_take_values_and_return_values()
    {
        var rules = Assemblies.SelectMany(a => a.GetTypes())
            .Where(t => t.Name.EndsWith("Rule", StringComparison.Ordinal)).ToList();

        Assert.True(rules.Count >= 30, $"Only {rules.Count} rules were found.");
        Assert.Empty(rules.SelectMany(WhatARuleMustNotHave));
    }

    [Fact]
    public void A_rule_that_looks_at_a_clock_or_waits_for_something_is_found() =>
        Assert.Equal(
            ["ImpureRule.Decide takes a TimeProvider", "ImpureRule.Load is asynchronous", "ImpureRule.logger is a ILogger"],
            WhatARuleMustNotHave(typeof(ImpureRule)).Order(StringComparer.Ordinal));

    private static IEnumerable<string> Trespasses(string project, XDocument file) =>
        References(file).Except(MayReference[project]).Select(other => $"{project} knows {other}");

    private static IEnumerable<string> Packages(XDocument file) =>
        file.Descendants().Where(e => e.Name.LocalName is "PackageReference" or "FrameworkReference").Select(e => (string)e.Attribute("Include")!);

    private static IEnumerable<string> Foreign(IEnumerable<string> assemblies) => assemblies.Where(name =>
        name is not ("System" or "netstandard") && !name.StartsWith("System.", StringComparison.Ordinal)
        && !name.StartsWith("LlmQueue.", StringComparison.Ordinal));

    private static IEnumerable<string> References(XDocument file) =>
        file.Descendants("ProjectReference")
            .Select(r => Path.GetFileNameWithoutExtension(((string)r.Attribute("Include")!).Replace('\\', '/')));

    private static IEnumerable<string> Strays(IEnumerable<SourceFile> files) =>
        from file in files
        from home in PackageHomes
        where Uses(file.Text, home.Package) && !home.Homes.Any(h => file.Path.StartsWith(h, StringComparison.Ordinal))
        select $"{file.Path} uses {home.Package}";

    // A using, or a name written out; not a word in a comment.
    private static bool Uses(string text, string package) =>
        Regex.IsMatch(text,
            $@"^\s*(global )?using (static )?{Regex.Escape(package)}[.;]|^[^/\n]*(?<![\w.""]){Regex.Escape(package)}\.[A-Z]\w*[ .(<{{?]",
            RegexOptions.Multiline, TimeSpan.FromSeconds(5));

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

    private static class ImpureRule
    {
        private static readonly ILogger? logger = null;

        public static DateTimeOffset Decide(TimeProvider clock) => clock.GetUtcNow();

        public static Task Load() => Task.FromResult(logger);
    }
}
